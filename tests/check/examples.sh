#!/bin/sh
# The examples do what they say, against the simulator over TLS.
exec "${PYTHON:-python3}" tests/check/examples.py
