#!/bin/sh
# tools/avito/musl.sh CC DIR - builds musl from Debian's source, below DIR where Debian's package
# musl-dev would put it: for a processor for which Debian has a compiler but no packages any more
# (foreign.sh).
set -eu
tools=${1%%gcc*} # mips-linux-gnu-
musl=${tools%gnu-}musl
mkdir -p "$2/musl"
dir=$(cd "$2" && pwd)
[ ! -e "$dir/.complete" ] || exit 0

sh examples/firmware/source.sh musl "$dir/source"
cd "$dir/musl"
{
    ../source/musl/configure --target="$musl" --prefix=/usr --libdir="/usr/lib/$musl" \
        --includedir="/usr/include/$musl" --disable-shared --enable-wrapper=gcc \
        CC="${tools}gcc" AR="${tools}ar" RANLIB="${tools}ranlib"
    make -j2 AR="${tools}ar" RANLIB="${tools}ranlib" install "DESTDIR=$dir"
} >build.txt 2>&1 || {
    tail -20 build.txt >&2
    exit 1
}
touch "$dir/.complete"
