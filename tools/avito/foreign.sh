#!/bin/sh
# tools/avito/foreign.sh ARCHITECTURE DIR PACKAGE... - unpacks Debian packages of another architecture below
# DIR. Nothing in /etc is changed and nothing is installed: apt runs with lists of its own.
set -eu
architecture=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
shift 2
[ ! -e "$dir/.complete" ] || exit 0
mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"

private() {
    apt-get -q -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" \
        -o Dir::State::Lists="$dir/apt/lists" -o Dir::State::status=/dev/null -o Dir::Cache="$dir/apt/cache" \
        -o APT::Sandbox::User="$(id -un)" "$@" >>"$dir/apt/log.txt" 2>&1
}

fail() {
    cat "$dir/apt/log.txt" >&2
    echo "$0: cannot get $* for $architecture" >&2
    exit 1
}

private update || true # one of several archives may lack this architecture
cd "$dir/apt"
private download "$@" || fail "$@"
for package in *.deb; do
    dpkg-deb -x "$package" "$dir"
done
touch "$dir/.complete"
