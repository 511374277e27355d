#!/bin/sh
# The MQTT client against real brokers: mosquitto from Debian, aedes from npm (version 2 speaks MQTT 5,
# version 1 only 3.1.1 and must be refused). Each on a port of its own.
set -u
work=build/mqtt
mkdir -p "$work"
status=0

free_port() {
    "${PYTHON:-python3}" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# talk NAME MODE COMMAND...: starts the broker, tells the story, stops the broker.
talk() {
    name=$1
    mode=$2
    shift 2
    "$@" >"$work/$name.log" 2>&1 &
    broker=$!
    tries=50
    until "${PYTHON:-python3}" -c "import socket; socket.create_connection(('127.0.0.1', $port), 1)" 2>/dev/null; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || break
        sleep 0.2
    done
    timeout 60 build/mqtt_talk "$port" "$mode" >"$work/$name.txt" || status=1
    sed "s/^ok - /ok - $name: /; s/^not ok - /not ok - $name: /" "$work/$name.txt"
    kill "$broker" 2>/dev/null
    wait "$broker" 2>/dev/null
}

# aedes FOLDER VERSION: npm's files stay in build/.
aedes() {
    [ -d "$work/$1/node_modules/aedes" ] && return
    npm install --prefix "$work/$1" --no-audit --no-fund --no-save "aedes@$2" >"$work/npm.log" 2>&1 && return
    echo "not ok - npm install aedes@$2: see $work/npm.log"
    exit 1
}

port=$(free_port)
PATH=$PATH:/usr/sbin
talk mosquitto new mosquitto -p "$port"

command -v npm >/dev/null || sh tools/need.sh npm || exit 1
if [ "$(node -p 'parseInt(process.versions.node)')" -lt 20 ]; then
    echo "# aedes 2 needs Node.js 20: not tried with $(node --version)"
else
    aedes aedes2 2.0.0-beta.1
    port=$(free_port)
    cat >"$work/aedes2/broker.mjs" <<END
import { createServer } from "node:net";
import { Aedes } from "aedes";
const broker = await Aedes.createBroker();
createServer(broker.handle).listen($port, "127.0.0.1");
END
    talk aedes2 new node "$work/aedes2/broker.mjs"
fi

aedes aedes1 0.51
port=$(free_port)
cat >"$work/aedes1/broker.js" <<END
require("net").createServer(require("aedes")().handle).listen($port, "127.0.0.1");
END
talk aedes1 old node "$work/aedes1/broker.js"
exit $status
