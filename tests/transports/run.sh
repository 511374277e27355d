#!/bin/sh
# The transports to copy: each over the fake of its stack, against the simulator, with good and bad habits.
exec "${PYTHON:-python3}" tests/transports/run.py
