#!/bin/sh
# The program avito for other processors, under qemu-user.
exec "${PYTHON:-python3}" tests/avito/static.py armhf mipsel mips
