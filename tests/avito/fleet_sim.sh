#!/bin/sh
# The fleet in simulated worlds. Its logic alone: 500 seeds, 40 of them under the sanitizers; with the
# gateways of its accounts: 300, and 15. And rules left out and bugs planted, which they must notice. (A killed
# gateway leaves some memory: that is no leak.)
set -u
status=0
build/fleet_sim 1 500 || status=1
build/fleet_sim.san 1 40 || status=1
build/fleet_join_sim 1 300 || status=1
ASAN_OPTIONS=detect_leaks=0 build/fleet_join_sim.san 1 15 || status=1
for which in random joined; do
    "${PYTHON:-python3}" tests/avito/fleet_plants.py "$which" || status=1
done
exit $status
