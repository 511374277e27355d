#!/bin/sh
# One struct with everything, and programs that share a folder, against the simulator over TLS.
exec "${PYTHON:-python3}" tests/check/hosted.py
