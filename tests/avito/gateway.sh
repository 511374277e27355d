#!/bin/sh
# The gateway between mosquitto and the simulator, as tests/avito/gateway.py tells: some tellers at once, since
# some scenes wait for a minute to pass. One tells some of it with another broker.
set -u
work=build/gateway_scenes
mkdir -p "$work"
status=0
tell() { # NAME SCENES...
    name=$1
    shift
    "${PYTHON:-python3}" tests/avito/gateway.py "$@" >"$work/$name.txt" 2>&1
    echo $? >"$work/$name.status"
}
tell minutes in_russian killed_in_a_send service_away nobody_listens at_once home_assistant &
tell floods by_consent flood bad_input broker_away webhooks reload &
GATEWAY_BROKER=aedes
export GATEWAY_BROKER
tell aedes messages commands broker_away home_assistant many &
unset GATEWAY_BROKER
tell others wrong_clock watchdog messages commands many full_disk quiet_disk old_broker tls_and_passwords pubacks paho
wait
for name in others floods minutes aedes; do
    sed "s/^\(not ok\|ok\) - /\1 - $name: /" "$work/$name.txt"
    [ "$(cat "$work/$name.status")" -eq 0 ] || status=1
done
told=$("${PYTHON:-python3}" tests/avito/gateway.py --names | sort)
known=$(sed -n 's/^tell [a-z]* \(.*[a-z]\)\( &\)\?$/\1/p' "$0" | tr ' ' '\n' | sort -u)
[ "$told" = "$known" ] || { echo "not ok - every scene is told by somebody"; status=1; }
exit $status
