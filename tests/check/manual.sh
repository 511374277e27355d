#!/bin/sh
# The tables of the manual (states, errors, endpoints, sizes) are those of the code.
"${MAKE:-make}" --no-print-directory -s build/sizes build/sizes32 || exit 1
exec "${PYTHON:-python3}" tools/manual.py
