#!/bin/sh
# Makes the keys and certificates of the TLS tests with the openssl command:
#
#     sh tests/tls/certs.sh build/tls
#
# Roots: ec, rsa, other (trusted by nobody). NAME.pem is a leaf with its chain, NAME.key its key.
set -eu
out=$1
mkdir -p "$out"
cd "$out"
host=api.example.test
days=3650

key() { # FILE KIND
    case $2 in
        ec) openssl ecparam -name prime256v1 -genkey -noout -out "$1" ;;
        *) openssl genrsa -out "$1" "$2" ;;
    esac
}

root() { # NAME KIND
    key "root-$1.key" "$2"
    openssl req -x509 -new -key "root-$1.key" -sha256 -days $days -subj "/O=Avito tests/CN=Root $1" \
        -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -out "root-$1.pem"
}

# A certificate NAME, subject, kind of key, issuer, digest; its extensions come on standard input.
# The key of ec certificates is shared: making keys takes longest.
issue() {
    key_file=$1.key
    if [ "$3" = ec ]; then
        [ -f ec.key ] || key ec.key ec
        cp ec.key "$key_file"
    elif [ "$3" = 2048 ]; then
        [ -f rsa.key ] || key rsa.key 2048
        cp rsa.key "$key_file"
    else
        key "$key_file" "$3"
    fi
    cat >"$1.ext"
    openssl req -new -key "$key_file" -subj "$2" -out "$1.csr"
    openssl x509 -req -in "$1.csr" -CA "$4.pem" -CAkey "$4.key" "-$5" -days $days \
        -set_serial "0x$(printf %s "$1" | cksum | cut -d' ' -f1)" -extfile "$1.ext" -out "$1.one"
}

ca() { # NAME KIND ISSUER EXTRA
    { echo "basicConstraints=critical,CA:TRUE,pathlen:0"
      echo "keyUsage=critical,keyCertSign,cRLSign"
      [ -z "${4:-}" ] || echo "$4"
    } | issue "$1" "/O=Avito tests/CN=$1" "$2" "$3" sha256
    mv "$1.one" "$1.pem"
}

# NAME KIND ISSUER DIGEST [EXTENSION...]: a leaf followed by its intermediate, if any.
leaf() {
    name=$1 kind=$2 issuer=$3 digest=$4
    shift 4
    for line in "$@"; do echo "$line"; done |
        issue "$name" "/O=Avito tests/CN=$host" "$kind" "$issuer" "$digest"
    cat "$name.one" >"$name.pem"
    case $issuer in
        root-*) ;;
        *) cat "$issuer.pem" >>"$name.pem" ;;
    esac
}

root ec ec
root rsa 2048
root other ec
ca ca-ec ec root-ec ""
ca ca-rsa 2048 root-rsa ""
ca ca-other ec root-other ""
ca ca-constrained ec root-ec "nameConstraints=permitted;DNS:example.test"
ca ca-mail ec root-ec "extendedKeyUsage=emailProtection"

san="subjectAltName=DNS:$host"
server="extendedKeyUsage=serverAuth,clientAuth"
plain="basicConstraints=CA:FALSE"
leaf good-ec ec ca-ec sha256 "$san" "$server" "$plain"
leaf good-rsa 2048 ca-rsa sha256 "$san" "$server" "$plain"
leaf good-p384 ec ca-ec sha384 "subjectAltName=DNS:other.test,DNS:*.example.test,IP:127.0.0.1" "$plain"
leaf no-eku ec ca-ec sha512 "$san"
leaf unknown-root ec ca-other sha256 "$san" "$server"
leaf wrong-host ec ca-ec sha256 "subjectAltName=DNS:www.example.test" "$server"
leaf two-labels ec ca-ec sha256 "subjectAltName=DNS:*.test" "$server"
leaf part-of-label ec ca-ec sha256 "subjectAltName=DNS:a*.example.test" "$server"
leaf cn-only ec ca-ec sha256 "$server" "$plain"
leaf ip-only ec ca-ec sha256 "subjectAltName=IP:127.0.0.1" "$server"
leaf ip-name ec ca-ec sha256 "subjectAltName=DNS:127.0.0.1" "$server"
leaf eku-client ec ca-ec sha256 "$san" "extendedKeyUsage=clientAuth"
leaf eku-client-rsa 2048 ca-rsa sha256 "extendedKeyUsage=clientAuth"
leaf eku-client-other ec ca-other sha256 "extendedKeyUsage=clientAuth"
leaf eku-any ec ca-ec sha256 "$san" "extendedKeyUsage=anyExtendedKeyUsage"
leaf eku-mail-ca ec ca-mail sha256 "$san" "$server"
leaf constrained ec ca-constrained sha256 "$san" "$server"
leaf sha1 2048 ca-rsa sha1 "$san" "$server"
leaf rsa1024 1024 ca-rsa sha256 "$san" "$server"
leaf leaf-is-ca ec ca-ec sha256 "$san" "$server" "basicConstraints=CA:TRUE"
leaf usage-encipher 2048 ca-rsa sha256 "$san" "keyUsage=critical,keyEncipherment"
leaf critical-unknown ec ca-ec sha256 "$san" "1.2.3.4=critical,ASN1:NULL"

# The largest RSA keys that BearSSL takes, and larger ones.
leaf rsa4096 4096 ca-rsa sha256 "$san" "$server"
leaf rsa4160 4160 ca-rsa sha256 "$san" "$server"

# Two special anchors: one with constraints that exclude the host, and one that expires soon.
key root-narrow.key ec
openssl req -x509 -new -key root-narrow.key -sha256 -days $days -subj "/O=Avito tests/CN=Root narrow" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -addext "nameConstraints=critical,permitted;DNS:other.test" -out root-narrow.pem
key root-old.key ec
openssl req -x509 -new -key root-old.key -sha256 -days 1 -subj "/O=Avito tests/CN=Root old" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -out root-old.pem
leaf under-narrow ec root-narrow sha256 "$san" "$server"
leaf under-old ec root-old sha256 "$san" "$server"

# A leaf that signs another leaf.
leaf leaf-signs ec no-eku sha256 "$san"

# The chain in the wrong order, and one of nine certificates.
cat good-ec.one root-ec.pem ca-ec.pem >wrong-order.pem
cp good-ec.key wrong-order.key
cat ca-ec.pem good-ec.one >leaf-last.pem
cp good-ec.key leaf-last.key
cat good-ec.one ca-rsa.pem ca-ec.pem >stranger-between.pem
cp good-ec.key stranger-between.key
cat good-ec.one ca-ec.pem ca-rsa.pem >stranger-last.pem
cp good-ec.key stranger-last.key
cat good-ec.one ca-ec.pem root-ec.pem >with-root.pem
cp good-ec.key with-root.key
cat good-ec.one ca-ec.pem >nine.pem
for i in 3 4 5 6 7 8 9; do cat root-ec.pem >>nine.pem; done
cp good-ec.key nine.key

# Version 1, so without the extensions that the usual configuration adds.
printf '[req]\ndistinguished_name=dn\n[dn]\n' >v1.ext
openssl req -x509v1 -config v1.ext -new -key ec.key -subj "/CN=$host" -CA ca-ec.pem -CAkey ca-ec.key \
    -sha256 -days $days -set_serial 77 -out v1.one
cat v1.one ca-ec.pem >v1.pem
cp ec.key v1.key

# For the loader: an anchor whose kind of key BearSSL does not know.
openssl genpkey -algorithm ed25519 -out ed.key
openssl req -x509 -new -key ed.key -days $days -subj "/CN=Ed" -out root-ed.pem
cat root-ec.pem root-rsa.pem >roots.pem
rm -f ./*.csr ./*.ext ./*.one
touch done
