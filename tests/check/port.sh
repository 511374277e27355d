#!/bin/sh
# The tests that need no sockets on other machines, compilers and C libraries: see tests/port.mk.
exec sh tests/port/run.sh
