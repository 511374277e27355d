#!/bin/sh
# What an object with the whole implementation needs and gives, by nm:
#   without a backend it needs nothing but mem*, str* and helpers of the compiler; never malloc;
#   every external symbol begins with avito_; nothing writable and static (no hidden state).
# With the backends, the two last.
set -eu
cd "$(dirname "$0")/.."
CC=${CC:-gcc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

compile() { # NAME FLAGS...
    name=$1
    shift
    $CC -std=c99 -O2 -w -fno-pie -fno-stack-protector -I. -D_POSIX_C_SOURCE=200809L "$@" \
        -c tests/compile/impl.c -o "$work/$name.o"
}

# check TEXT FILE: the file lists what is wrong
check() {
    if [ -s "$2" ]; then
        echo "not ok - $1"
        sed 's/^/#   /' "$2"
        status=1
    else
        echo "ok - $1"
    fi
}

compile core
compile all -DAVITO_WITH_POSIX=1 -DAVITO_WITH_BEARSSL=1

nm -u "$work/core.o" | awk '{ print $NF }' |
    grep -v -E '^(mem[a-z]+|str[a-z]+|__[a-z0-9_]+|_GLOBAL_OFFSET_TABLE_)$' >"$work/needs" || true
check "core needs only mem*, str* and compiler helpers" "$work/needs"

for kind in core all; do
    nm -u "$work/$kind.o" | awk '{ print $NF }' |
        grep -E '^(malloc|calloc|realloc|free|alloca|strdup|aligned_alloc)$' >"$work/heap" || true
    check "$kind: no heap" "$work/heap"
    nm -g --defined-only "$work/$kind.o" | awk '{ print $NF }' | grep -v '^avito_' \
        >"$work/names" || true
    check "$kind: every external symbol begins with avito_" "$work/names"
    nm "$work/$kind.o" | awk '$2 ~ /^[bBdDcCsS]$/ { print $2, $3 }' >"$work/state" || true
    check "$kind: no writable static data" "$work/state"
done
exit $status
