#!/bin/sh
# The header in every configuration: gcc and clang, C and C++, with warnings as errors.
exec "${PYTHON:-python3}" tests/compile/matrix.py
