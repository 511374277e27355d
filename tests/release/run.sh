#!/bin/sh
# Every package of `make release`, unpacked and used with the tool that its users have.
exec "${PYTHON:-python3}" tests/release/run.py
