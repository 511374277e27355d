#!/bin/sh
# The program avito on other processors, by qemu-user.
exec "${PYTHON:-python3}" tests/avito/static.py arm64 armhf mipsel mips
