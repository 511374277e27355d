#!/bin/sh
# Each sentence of the program avito in two languages.
exec "${PYTHON:-python3}" tests/avito/languages.py
