#!/bin/sh
# What the TLS transport links into a program: with the default profile nothing that its six suites
# do not need, with AVITO_TLS_OWN_PROFILE nothing that the program did not choose, and no writable
# data.
set -eu
dir=build/tls/links
mkdir -p "$dir"
lib=$(${CC:-gcc} -print-file-name=libbearssl.a)
cat >"$dir/main.c" <<'END'
#define AVITO_WITH_BEARSSL 1
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"
static avito_tls tls;
int main(int argc, char **argv)
{
    avito_tls_options o = avito_tls_options_default();
    (void)argv;
    return argc + avito_tls_init(&tls, &o) + avito_tls_transport(&tls).functions->detail(&tls);
}
END
build() { # NAME FLAGS...
    name=$1
    shift
    ${CC:-gcc} -std=c99 -Os -fno-pie -no-pie -I. -ffunction-sections -fdata-sections "$@" \
        "$dir/main.c" -Wl,--gc-sections "$lib" -o "$dir/$name"
    nm "$dir/$name" | awk '$2 ~ /[tTrRdDbB]/ { print $3 }' >"$dir/$name.txt"
}
check() { # WHAT COMMAND...
    what=$1
    shift
    if "$@"; then echo "ok - $what"; else echo "not ok - $what"; fi
}
none() { # FILE PATTERN
    ! grep -E "$2" "$dir/$1.txt"
}
build default
build own -DAVITO_TLS_OWN_PROFILE=1
check "default profile: no DES, CBC, CCM, MD5, SHA-1" \
    none default '^br_(des|.*cbc(enc|dec)|.*ctrcbc|sslrec_.*(cbc|ccm)|md5|sha1_|tls10)'
check "default profile: no server, no private keys" none default '^br_(ssl_(hs_)?server|rsa_.*priv|.*_sign)'
check "own profile: no ciphers, curves or signatures" none own '^br_(aes|chacha|ghash|ec_|rsa_|ecdsa_|poly)'
nm "$dir/default" | awk '$2 ~ /[dDbB]/ && $3 ~ /^avito/' >"$dir/data.txt"
check "no writable data of its own" test ! -s "$dir/data.txt"
