#!/bin/sh
# Gateways in a fleet, as tests/avito/fleet.py tells: two tellers at once, since they wait for silence.
set -u
scenes=tests/avito/fleet.py work=build/fleet_scenes
. tests/avito/tell.sh
tell shares shared full_ledgers refused unreadable over_tls &
tell losses killed handed_over stopped broker_restarts begun bells
wait
# With another broker, which keeps all in memory.
GATEWAY_BROKER=aedes
export GATEWAY_BROKER
tell aedes killed handed_over begun
unset GATEWAY_BROKER
for name in losses shares aedes; do
    heard "$name"
done
all_told "$0" sort -u
exit $status
