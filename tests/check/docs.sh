#!/bin/sh
# The code in the README and in the manual compiles.
exec "${PYTHON:-python3}" tools/docs.py
