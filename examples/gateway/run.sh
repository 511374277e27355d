#!/bin/sh
# make gateway: mosquitto, the simulated service with a buyer who writes, avito gateway between them, and what
# passes by. Each first line of a chat is answered through the broker, as an automation would.
#
#   GATEWAY_SECONDS=N   ends after N seconds; else Ctrl-C does
set -eu
python=${PYTHON:-python3}
work=$(mktemp -d)
children=
PATH=$PATH:/usr/sbin

end() {
    trap - EXIT INT TERM
    for child in $children; do # the last first, so that the gateway says goodbye to its broker
        kill "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    done
    wait # for those who read what the children wrote
    rm -rf "$work"
    exit 0
}
trap end EXIT INT TERM

# until COMMAND...: repeats it for at most ten seconds.
until_true() {
    tries=100
    while ! "$@" 2>/dev/null; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || { echo "gateway: this did not happen: $*" >&2; exit 1; }
        sleep 0.1
    done
}

port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'listener %s 127.0.0.1\nallow_anonymous true\n' "$port" >"$work/mosquitto.conf"
mosquitto -c "$work/mosquitto.conf" >"$work/mosquitto.log" 2>&1 &
children="$! $children"

build/simulator --cert build/certs/ec.crt --key build/certs/ec.key --chats 2 --buyer --every 4 \
    --ports "$work/ports" >/dev/null &
children="$! $children"
until_true test -s "$work/ports"
tls=$(sed -n 's/^tls=//p' "$work/ports")

mkdir -p "$work/avito"
cat >"$work/avito/config" <<CONFIG
[shop]
client_id = client-id-for-tests
client_secret = client-secret-for-tests-0123456789abcdef
host = localhost
port = $tls
ca_file = $PWD/build/certs/roots.pem
poll = 1

[mqtt]
host = localhost
port = $port
CONFIG
chmod 600 "$work/avito/config"

echo "Configuration:"
sed 's/^/    /; s/\(client_secret = \).*/\1.../' "$work/avito/config"
echo
echo "Listen with:   mosquitto_sub -p $port -V 5 -v -t 'avito/#'"
echo "Write with:    mosquitto_pub -p $port -V 5 -q 1 -t avito/shop/send/CHAT -m 'Здравствуйте!'"
echo

until_true mosquitto_pub -p "$port" -V 5 -t avito/demo -m ready
# Each mosquitto_sub writes into a pipe with a name, since a shell knows only the last process of a pipeline.
mkfifo "$work/shown" "$work/messages"

# Shows what passes by: the topic, and as much of the payload as fits. cut counts bytes: iconv drops half a character.
while read -r topic payload; do
    printf '%s  %s\n' "$topic" "$(printf '%s' "$payload" | cut -b 1-200 | iconv -c -f UTF-8 -t UTF-8)"
done <"$work/shown" &
mosquitto_sub -p "$port" -V 5 -v -t 'avito/shop/#' -t 'avito/gateway/+/status' -t 'homeassistant/#' \
    >"$work/shown" &
children="$! $children"
XDG_CONFIG_HOME=$work XDG_STATE_HOME=$work/state build/avito gateway &
children="$! $children"

# An automation: one answer to each chat in which a buyer wrote. Its id is the chat's, so it is sent
# only once.
while read -r topic payload; do
    case $payload in
    *'"class":"buyer"'*)
        chat=${topic##*/}
        id=$(printf '%s' "$chat" | tr -c 'A-Za-z0-9_-' '_' | cut -c 1-64)
        mosquitto_pub -p "$port" -V 5 -q 1 -t "avito/shop/send/$chat" \
            -m "{\"id\":\"$id\",\"text\":\"Здравствуйте! Да, продаётся.\"}"
        ;;
    esac
done <"$work/messages" &
mosquitto_sub -p "$port" -V 5 -q 1 -t 'avito/shop/messages/+' -F '%t %p' >"$work/messages" &
children="$! $children"

seconds=${GATEWAY_SECONDS:-0}
if [ "$seconds" -gt 0 ]; then sleep "$seconds"; else wait; fi
