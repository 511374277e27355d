#!/bin/sh
# tools/avito/static.sh CC DIR OUT [ROOT] - builds the program as one file, everything from source:
# for musl, and for other processors. DIR keeps objects and sources. ROOT: where Debian's packages
# of the other processor, musl-dev and libinih-dev, are unpacked (foreign.sh), for a CC whose own C
# library is another.
set -eu
cc=$1
dir=$2
out=$3
root=${4:-}
mkdir -p "$dir/objects" "$dir/include"

sh examples/firmware/source.sh bearssl "$dir/source"
# If no mirror has the source of inih: Debian's own archive of it needs only names that musl has,
# too.
inih=
if ! sh examples/firmware/source.sh libinih "$dir/source" 2>"$dir/libinih.txt"; then
    case $cc:$root in
    musl-gcc:) inih=$(dpkg -L libinih-dev | grep '/libinih\.a$') ;;
    *) inih=$(find "${root:-$dir}" -name libinih.a) ;;
    esac
    [ -n "$inih" ] || { cat "$dir/libinih.txt" >&2; exit 1; }
    mkdir -p "$dir/source/libinih"
    cp "${root:+$root}/usr/include/ini.h" "$dir/source/libinih/"
fi
# Its paths are those of an installed package. MIPS's compiler names an order of bytes, which from gcc 14 on some spec
# must know.
if [ -n "$root" ]; then
    sed "s,/usr/\(include\|lib\)/,$root&,g; /^-dynamic-linker/s/$/ %{EB} %{EL}/" "$root"/usr/lib/*-linux-musl*/musl-gcc.specs >"$dir/musl.specs"
    cc="$cc -specs=$dir/musl.specs"
fi
cp /usr/include/jsmn.h "$dir/include/" # other compilers do not look into /usr/include

# Small rather than fast: no short ways, everything compiled at once and in one piece (1.4 KB less than in pieces side
# by side), no tables for exceptions, which C has not (47 KB on 64-bit ARM), no gaps between segments.
size="-Oz -fno-pie -flto=auto -flto-partition=one"
flags="-std=c99 -D_GNU_SOURCE $size -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
    -fno-unwind-tables -DAVITO_WITH_SHORTCUTS=0 -DAVITO_WITH_POSIX=1 -DAVITO_WITH_BEARSSL=1 -I. -Itools/avito -isystem $dir/include
    -I$dir/source/bearssl/inc -I$dir/source/libinih"

# The data need not begin on a page of their own in the file (2.4 KB less, of 450; 49 on 64-bit ARM, whose pages may
# have 64 KB), nor a table on a line of the cache (1.9 KB); a switch needs no table of addresses (0.8 KB).
close=
case $cc in
musl-gcc | aarch64-*)
    close="-Wl,-z,norelro -Wl,-z,common-page-size=64 -Wl,--sort-section=alignment"
    ;;
esac
case $cc in
musl-gcc) flags="$flags -malign-data=abi -fno-jump-tables" ;;
esac

# compile NAME FILE FLAGS...: compiles only if the object is older than its source and the headers.
compile() {
    object=$dir/objects/$1.o
    file=$2
    shift 2
    if [ ! -e "$object" ] ||
        [ -n "$(find "$file" avito_messenger.h tools/avito/*.h -newer "$object")" ]; then
        # shellcheck disable=SC2086
        $cc $flags "$@" -c "$file" -o "$object"
    fi
}

for file in "$dir"/source/bearssl/src/*.c "$dir"/source/bearssl/src/*/*.c; do
    name=$(basename "$file" .c)
    [ -e "$dir/objects/bearssl_$name.o" ] || compile "bearssl_$name" "$file" -w "-I$dir/source/bearssl/src"
done
[ -n "$inih" ] || compile inih "$dir/source/libinih/ini.c" -w
for file in tools/avito/*.c; do
    compile "avito_$(basename "$file" .c)" "$file" -Wall -Wextra
done
# shellcheck disable=SC2086
$cc $size $close -static -no-pie -Wl,--gc-sections -Wl,-z,noseparate-code -Wl,--defsym=fopen64=fopen \
    "$dir"/objects/*.o $inih -o "$out" 2>"$dir/link.txt" ||
    { cat "$dir/link.txt" >&2; exit 1; }
grep -v 'linking abicalls files with non-abicalls files' "$dir/link.txt" >&2 || : # so it is meant, for MIPS
strip=$(echo "${cc%% *}" | sed -n 's/gcc$/strip/p')
case $cc in
musl-gcc) strip=strip ;;
esac
"$strip" -R .comment "$out"
