#!/bin/sh
# The program avito in one file without dependencies.
exec "${PYTHON:-python3}" tests/avito/static.py
