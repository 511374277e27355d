#!/bin/sh
# examples/12_webhook_server.c on real sockets, alone and behind nginx.
exec "${PYTHON:-python3}" tests/check/webhook_server.py "$@"
