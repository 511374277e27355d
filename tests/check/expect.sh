#!/bin/sh
# The committed expectations are those that tests/expect.py makes now.
exec "${PYTHON:-python3}" tests/expect.py --check
