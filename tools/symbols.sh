#!/bin/sh
# Checks by nm what an object with the whole implementation needs and defines:
#   without a backend it needs of libc what the header lists under YOUR OWN TRANSPORT, no more, and helpers of the
#   compiler; the same with BearSSL, whose own functions come with it; never malloc;
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

# check TEXT FILE: the file lists the faults
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
compile bearssl -DAVITO_WITH_BEARSSL=1
compile all -DAVITO_WITH_POSIX=1 -DAVITO_WITH_BEARSSL=1

libc=$(sed -n 's/^ \*   no libc  provide \(.*\)\.$/\1/p' avito_messenger.h | sed 's/, /|/g')
[ -n "$libc" ] || echo "no line with 'no libc' in the header" >"$work/list"
touch "$work/list"
check "the header lists what to provide without a libc" "$work/list"
for kind in core bearssl; do
    nm -u "$work/$kind.o" | awk '{ print $NF }' |
        grep -v -E "^($libc|br_[a-z0-9_]+|__[a-z0-9_]+|_GLOBAL_OFFSET_TABLE_)\$" >"$work/needs" || true
    check "$kind needs no more than that and compiler helpers" "$work/needs"
done

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
