#!/bin/sh
# The simulated service as a server, over TCP and TLS.
exec "${PYTHON:-python3}" tools/simulator/server_test.py
