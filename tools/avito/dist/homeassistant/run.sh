#!/usr/bin/with-contenv bashio
# shellcheck shell=bash
# Makes the configuration from the add-on's options and Home Assistant's own broker, and runs the gateway.
set -eu
umask 077
config=/tmp/avito.config
options=${OPTIONS_FILE:-/data/options.json}

{
    jq -r '.accounts[] | "[\(.name)]\nclient_id = \(.client_id)\nclient_secret = \(.client_secret)" +
        (if (.notify // "") != "" then "\nnotify = \(.notify)" else "" end)' "$options"
    echo "[mqtt]"
    echo "host = $(bashio::services mqtt host)"
    echo "port = $(bashio::services mqtt port)"
    echo "user = $(bashio::services mqtt username)"
    echo "password = $(bashio::services mqtt password)"
    echo "[gateway]"
    echo "name = homeassistant"
} >"$config"

export XDG_STATE_HOME=/data HOME=/data
exec /usr/bin/avito gateway --config "$config"
