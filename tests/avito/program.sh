#!/bin/sh
# The program avito as people and scripts use it.
exec "${PYTHON:-python3}" tests/avito/program.py
