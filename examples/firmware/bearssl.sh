#!/bin/sh
# Builds BearSSL for a bare-metal target: bearssl.sh SOURCE OUT CC FLAGS...
# leaves OUT/libbearssl.a and, beside each object, the stack use and calls of its functions (.ci).
#
# BR_USE_UNIX_TIME=0: newlib and picolibc define _POSIX_C_SOURCE, from which BearSSL would conclude
# that there is a time(). BR_USE_URANDOM=0: there is no such file. Time and entropy are injected.
set -eu

source=$1
out=$2
shift 2
if [ -e "$out/libbearssl.a" ] && [ "$(cat "$out/flags" 2>/dev/null)" = "$*" ]; then
    exit 0
fi
rm -rf "$out"
mkdir -p "$out"
source=$(cd "$source" && pwd)
cd "$out"
find "$source/src" -name '*.c' | sort | xargs -n 20 -P 2 "$@" -I"$source/src" -I"$source/inc" \
    -Os -ffunction-sections -fdata-sections -fstack-usage -fcallgraph-info=su \
    -DBR_USE_UNIX_TIME=0 -DBR_USE_URANDOM=0 -w -c
ar rcs libbearssl.a ./*.o
rm -f ./*.o
echo "$*" >flags
