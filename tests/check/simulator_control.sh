#!/bin/sh
# The control side of the simulator: who may ask, what it answers, stories, and what ten watchers
# cost.
exec "${PYTHON:-python3}" tests/check/simulator_control.py
