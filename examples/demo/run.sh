#!/bin/sh
# run.sh [SIMULATOR OPTION...] - starts the simulator over TLS, plays the demo, stops the simulator.
# DEMO_OPTIONS are the demo's.
set -u
work=$(mktemp -d) || exit 2
build/simulator --chats 0 --cert build/certs/ec.crt --key build/certs/ec.key \
    --ports "$work/ports" "$@" >"$work/simulator.txt" 2>&1 &
simulator=$!
stop() {
    kill "$simulator" 2>/dev/null
    wait "$simulator" 2>/dev/null
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' HUP INT TERM

tries=0
while [ ! -f "$work/ports" ]; do
    tries=$((tries + 1))
    if [ $tries -gt 100 ] || ! kill -0 "$simulator" 2>/dev/null; then
        cat "$work/simulator.txt" >&2
        exit 2
    fi
    sleep 0.05
done
. "$work/ports"

# shellcheck disable=SC2086,SC2154
AVITO_HOST=localhost AVITO_PORT=$tls AVITO_CA_FILE=build/certs/roots.pem AVITO_DEMO_DOOR=$control \
    AVITO_CLIENT_ID=client-id-for-tests \
    AVITO_CLIENT_SECRET=client-secret-for-tests-0123456789abcdef \
    build/demo/demo ${DEMO_OPTIONS:-}
