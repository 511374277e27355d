#!/bin/sh
# The tables of the manual (states, errors, endpoints, sizes) are those of the code.
exec "${PYTHON:-python3}" tools/manual.py
