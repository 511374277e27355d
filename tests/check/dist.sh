#!/bin/sh
# The single file of `make dist` needs no jsmn.h and is as clean as the header itself.
set -e
rm -f build/dist/avito_messenger.h
"${PYTHON:-python3}" tools/dist.py
exec "${PYTHON:-python3}" tests/compile/matrix.py --dist build/dist/avito_messenger.h
