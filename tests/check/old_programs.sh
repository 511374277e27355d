#!/bin/sh
# Programs that were written for 0.1.0 build with this header and print the same.
exec "${PYTHON:-python3}" tests/check/old_programs.py
