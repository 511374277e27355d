#!/bin/sh
# The header in every configuration: gcc and clang, C and C++, all warnings being errors.
exec "${PYTHON:-python3}" tests/compile/matrix.py
