#!/bin/sh
# Rules of the fleet left out, which its tests must notice; then gateways in a fleet, as tests/avito/fleet.py tells: two
# tellers at once, since they wait for silence.
set -u
work=build/fleet_scenes
mkdir -p "$work"
status=0
tell() { # NAME SCENES...
    name=$1
    shift
    "${PYTHON:-python3}" tests/avito/fleet.py "$@" >"$work/$name.txt" 2>&1
    echo $? >"$work/$name.status"
}
"${PYTHON:-python3}" tests/avito/fleet_plants.py >"$work/plants.txt" 2>&1 || status=1
tell shares shared refused &
tell losses killed handed_over stopped broker_restarts begun bells
wait
cat "$work/plants.txt"
for name in losses shares; do
    cat "$work/$name.txt"
    [ "$(cat "$work/$name.status")" -eq 0 ] || status=1
done
told=$("${PYTHON:-python3}" tests/avito/fleet.py --names | sort)
known=$(sed -n 's/^tell [a-z]* \(.*[a-z]\)\( &\)\?$/\1/p' "$0" | tr ' ' '\n' | sort)
[ "$told" = "$known" ] || { echo "not ok - every scene is told by somebody"; status=1; }
exit $status
