#!/bin/sh
# The gateway between mosquitto and the simulator, as tests/avito/gateway.py tells.
exec "${PYTHON:-python3}" tests/avito/gateway.py
