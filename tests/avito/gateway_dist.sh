#!/bin/sh
# What goes with the gateway: service files that their own tools accept, and pages whose examples are good.
set -u
fail=0
check() { # what, command...
    what=$1
    shift
    if "$@" >build/gateway_dist.txt 2>&1; then echo "ok - $what"; else
        echo "not ok - $what"
        sed 's/^/# /' build/gateway_dist.txt
        fail=1
    fi
}
dist=tools/avito/dist
mkdir -p build/dist_check

# The unit's program need not be installed where this runs.
sed "s|=avito |=$PWD/build/avito |; /^Documentation/d" $dist/avito-gateway.service \
    >build/dist_check/avito-gateway.service
check "systemd-analyze verify" systemd-analyze verify build/dist_check/avito-gateway.service
# systemd's copies of the files are as old as the process: a reload would read those.
check "no reload of what systemd does not copy again" sh -c '
    unit=$1
    ! grep -q ^LoadCredential= "$unit" || ! grep -q ^ExecReload= "$unit"' - $dist/avito-gateway.service
check "shellcheck: OpenWrt's init script" shellcheck -s sh -e SC3043 $dist/openwrt/files/avito.init # local: ash has it
check "shellcheck: the add-on's run script" shellcheck $dist/homeassistant/run.sh
check "shellcheck: make gateway" shellcheck examples/gateway/run.sh

version=$(sed -n 's/^#define AVITO_VERSION "\(.*\)"$/\1/p' avito_messenger.h)
check "the add-on has the program's version" grep -qx "version: \"$version\"" $dist/homeassistant/config.yaml
check "OpenWrt's package has the program's version" grep -qx "PKG_VERSION:=$version" $dist/openwrt/Makefile

# The add-on's script writes a configuration that the program accepts: there is no broker, so the
# program waits for one.
cat >build/dist_check/options.json <<'JSON'
{"accounts": [{"name": "shop", "client_id": "id", "client_secret": "secret", "notify": "u2i-a u2i-b"}]}
JSON
# shellcheck disable=SC2016 # for bash
check "the add-on's configuration" bash -c '
    bashio::services() { case $2 in host) echo localhost ;; port) echo 1 ;; *) echo word ;; esac; }
    exec() { cp /tmp/avito.config build/dist_check/config; }
    OPTIONS_FILE=build/dist_check/options.json . '$dist'/homeassistant/run.sh
    rm -f /tmp/avito.config
    chmod 600 build/dist_check/config
    HOME=$PWD/build/dist_check XDG_STATE_HOME=$PWD/build/dist_check/state AVITO_HOST=localhost AVITO_PORT=1 \
        timeout -s KILL 2 build/avito gateway --config build/dist_check/config || [ $? -eq 137 ]'

check "the pages' examples" "${PYTHON:-python3}" - <<'END_OF_PYTHON'
import json, os, re, subprocess
keys = subprocess.run(["build/avito", "--manual"], capture_output=True, text=True, check=True).stdout
for page in ("examples/gateway/README.md", "examples/gateway/README.ru.md"):
    text = open(page, encoding="utf-8").read()
    blocks = dict.fromkeys(re.findall(r"```(\w*)\n(.*?)```", text, re.S))
    flows = [json.loads(body) for kind, body in blocks if kind == "json"]
    assert flows and {n["type"] for n in flows[0]} == {"mqtt in", "function", "mqtt out", "mqtt-broker"}, page
    for kind, body in blocks:
        for key in re.findall(r"^;? ?([a-z_]+) = ", body, re.M) if kind == "ini" else []:
            assert key.replace("_", "\\_") in keys or key in keys, f"{page}: {key}"
    for name in re.findall(r"tools/[\w/.-]+", text):
        assert os.path.exists(name.rstrip(".")), f"{page}: {name}"
english, russian = (open(f"examples/gateway/README{x}.md", encoding="utf-8").read() for x in ("", ".ru"))
assert english.count("\n## ") == russian.count("\n## ") and english.count("\n| ") == russian.count("\n| "), "the pages differ in their parts"
END_OF_PYTHON
exit $fail
