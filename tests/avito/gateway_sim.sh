#!/bin/sh
# The gateway's core in simulated worlds: 1,000 seeds, 100 of them under the sanitizers, and planted bugs that
# they must notice. (A killed gateway leaves its memory: that is no leak.)
set -u
status=0
build/gateway_sim 1 1000 || status=1
ASAN_OPTIONS=detect_leaks=0 build/gateway_sim.san 1 100 || status=1
"${PYTHON:-python3}" tests/avito/gateway_plants.py || status=1
exit $status
