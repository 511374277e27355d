#!/bin/sh
# Rules of the fleet left out, which its tests must notice; then gateways in a fleet, as tests/avito/fleet.py tells: two
# tellers at once, since they wait for silence.
set -u
scenes=tests/avito/fleet.py work=build/fleet_scenes
. tests/avito/tell.sh
"${PYTHON:-python3}" tests/avito/fleet_plants.py >"$work/plants.txt" 2>&1 || status=1
tell shares shared refused &
tell losses killed handed_over stopped broker_restarts begun bells
wait
cat "$work/plants.txt"
for name in losses shares; do
    cat "$work/$name.txt"
    heard "$name"
done
all_told "$0" sort
exit $status
