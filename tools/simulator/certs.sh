#!/bin/sh
# certs.sh DIR - makes certificates for tests, new ones each time; never use them for anything else.
#
#   ec.crt ec.key           P-256 server certificate with its intermediate, and its key
#   rsa.crt rsa.key         the same with RSA-2048
#   expired.crt not-yet.crt wrong-name.crt     P-256, each with one thing wrong (key: ec.key)
#   unknown.crt             P-256, from a root that is not in roots.pem (key: ec.key)
#   roots.pem               both good roots; also separately: ec-root.pem rsa-root.pem
#   other-root.pem          the root of unknown.crt
#
# The names in the good ones: localhost and api.avito.ru.
set -eu
dir=${1:?usage: certs.sh DIR}
mkdir -p "$dir"
cd "$dir"

cat >ca.cnf <<'END'
[ca]
default_ca = tests
[tests]
new_certs_dir = .
database = index.txt
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
organizationName = optional
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[intermediate]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[server]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:localhost,DNS:api.avito.ru
[wrong]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth
subjectAltName = DNS:example.org
END
: >index.txt

past=20200101000000Z
future=20491231235959Z

quietly() {
    "$@" >last.log 2>&1 || { cat last.log >&2; exit 1; }
}

# new_key ec|rsa FILE
new_key() {
    if [ "$1" = ec ]; then
        quietly openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$2"
    else
        quietly openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$2"
    fi
}

# new_root ec|rsa NAME
new_root() {
    new_key "$1" "$2-root.key"
    quietly openssl req -new -key "$2-root.key" -subj "/O=Simulator tests/CN=$2 root" -out one.csr
    quietly openssl ca -batch -config ca.cnf -selfsign -keyfile "$2-root.key" -extensions root \
        -in one.csr -startdate $past -enddate $future -notext -out "$2-root.pem"
}

# sign ISSUER EXTENSIONS KEY SUBJECT OUT FROM TO
sign() {
    quietly openssl req -new -key "$3" -subj "/O=Simulator tests/CN=$4" -out one.csr
    quietly openssl ca -batch -config ca.cnf -cert "$1.pem" -keyfile "$1.key" -extensions "$2" \
        -in one.csr -startdate "$6" -enddate "$7" -notext -out "$5"
}

# server ISSUER OUT EXTENSIONS KEY SUBJECT FROM TO
server() {
    sign "$1-intermediate" "$3" "$4" "$5" one.pem "$6" "$7"
    cat one.pem "$1-intermediate.pem" >"$2"
}

for kind in ec rsa other; do
    algorithm=$kind
    [ $kind = other ] && algorithm=ec
    new_root $algorithm $kind
    new_key $algorithm $kind-intermediate.key
    sign $kind-root intermediate $kind-intermediate.key "$kind intermediate" \
        $kind-intermediate.pem $past $future
done
new_key ec ec.key
new_key rsa rsa.key
server ec ec.crt server ec.key api.avito.ru $past $future
server rsa rsa.crt server rsa.key api.avito.ru $past $future
server ec expired.crt server ec.key api.avito.ru $past 20200201000000Z
server ec not-yet.crt server ec.key api.avito.ru 20490101000000Z $future
server ec wrong-name.crt wrong ec.key example.org $past $future
server other unknown.crt server ec.key api.avito.ru $past $future
cat ec-root.pem rsa-root.pem >roots.pem
rm -f one.pem ./*.csr index.txt* last.log [0-9A-F]*.pem
