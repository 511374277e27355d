#!/bin/sh
# The header finds jsmn.h and bearssl.h where people keep them, and says what to do where they are
# missing.
set -u
CC=${CC:-gcc}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
multiarch=$($CC -print-multiarch)

# This system's headers without those two.
mkdir -p "$work/system" "$work/project" "$work/bearssl"
for file in /usr/include/*; do
    case $file in
        */jsmn.h | */bearssl*) ;;
        *) ln -s "$file" "$work/system/" ;;
    esac
done
cp avito_messenger.h "$work/project/"
cp /usr/include/bearssl/*.h "$work/bearssl/"

compile() { # name, the expected words of the compiler or nothing, flags
    name=$1 words=$2
    shift 2
    printf '#define AVITO_MESSENGER_IMPLEMENTATION\n#include "avito_messenger.h"\n' >"$work/program.c"
    # shellcheck disable=SC2086
    $CC -std=c99 -Wall -Wextra -Werror -D_POSIX_C_SOURCE=200809L -nostdinc \
        -isystem "$($CC -print-file-name=include)" -isystem "$work/system" \
        -isystem "/usr/include/$multiarch" -I"$work/project" "$@" -fsyntax-only "$work/program.c" \
        >"$work/said.txt" 2>&1
    status=$?
    if [ -z "$words" ] && [ $status -eq 0 ]; then
        echo "ok - $name"
    elif [ -n "$words" ] && [ $status -ne 0 ] && head -n 4 "$work/said.txt" | grep -q "$words"; then
        echo "ok - $name"
    else
        echo "not ok - $name"
        sed 's/^/#   /' "$work/said.txt" | head -n 20
    fi
}

tls="-DAVITO_WITH_POSIX=1 -DAVITO_WITH_BEARSSL=1"
compile "without jsmn.h the compiler says what to do" "libjsmn-dev"
cp /usr/include/jsmn.h "$work/bearssl/"
compile "jsmn.h in the include path" "" -I"$work/bearssl"
rm "$work/bearssl/jsmn.h"
cp /usr/include/jsmn.h "$work/project/"
compile "jsmn.h beside the header, without warnings" "" -Wconversion -Wshadow -Wundef -Wcast-qual
# shellcheck disable=SC2086
{
    compile "without bearssl.h the compiler says what to do" "AVITO_BEARSSL_H" $tls
    compile "bearssl.h in the include path" "" $tls -I"$work/bearssl"
    compile "bearssl/bearssl.h, as Arduino has it" "" $tls -I"$work"
    compile "bearssl.h by its name" "" $tls "-DAVITO_BEARSSL_H=\"$work/bearssl/bearssl.h\""
    cp "$work"/bearssl/*.h "$work/project/"
    compile "bearssl.h beside the header" "" $tls
}
