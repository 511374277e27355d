#!/bin/sh
# The expectations that are checked in are those that tests/expect.py makes today.
exec "${PYTHON:-python3}" tests/expect.py --check
