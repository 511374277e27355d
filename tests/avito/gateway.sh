#!/bin/sh
# The gateway between mosquitto and the simulator, as tests/avito/gateway.py tells: some tellers at once, since
# some scenes wait for a minute to pass. One tells some of it with another broker.
set -u
scenes=tests/avito/gateway.py work=build/gateway_scenes
. tests/avito/tell.sh
tell minutes unpaid access_rules full_window in_russian killed_in_a_send slow_line service_away nobody_listens at_once home_assistant &
tell floods shown odd_answers by_consent flood bad_input broker_away webhooks reload reload_with_commands reload_with_errors unreadable claimed_pictures &
GATEWAY_BROKER=aedes
export GATEWAY_BROKER
tell aedes messages commands broker_away home_assistant many &
unset GATEWAY_BROKER
tell others bounded names wrong_clock day_without_broker watchdog messages commands many locked_tokens full_disk quiet_disk old_broker mute_broker wrong_configuration closed_error tls_and_passwords pubacks paho
wait
for name in others floods minutes aedes; do
    heard "$name"
done
all_told "$0" sort -u
exit $status
