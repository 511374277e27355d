#!/bin/sh
# The fleet's logic in simulated worlds: 1,000 seeds, 40 of them under the sanitizers; and rules
# left out, which they must notice.
set -u
status=0
build/fleet_sim 1 1000 || status=1
build/fleet_sim.san 1 40 || status=1
"${PYTHON:-python3}" tests/avito/fleet_plants.py random || status=1
exit $status
