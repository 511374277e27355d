#!/bin/sh
# The simulator's rooms: no circle, and the core without a global, a socket or a clock of its own.
exec "${PYTHON:-python3}" tests/check/simulator_rooms.py
