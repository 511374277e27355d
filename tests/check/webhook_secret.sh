#!/bin/sh
# Does the comparison of the webhook's secret path branch on the secret? (MemorySanitizer, clang)
set -u
out=build/check
mkdir -p $out
program=$out/webhook_secret
for level in -O0 -O2; do
    ${CLANG:-clang} -std=c99 $level -g -fsanitize=memory -fno-sanitize-recover=all -Wno-unused-function \
        -I. tests/check/webhook_secret.c -o $program || { echo "not ok - build with $level"; continue; }
    if $program; then
        echo "ok - no branch depends on the secret ($level)"
    else
        echo "not ok - no branch depends on the secret ($level)"
    fi
    if $program leak 2>/dev/null; then
        echo "not ok - a branch on the secret is noticed ($level)"
    else
        echo "ok - a branch on the secret is noticed ($level)"
    fi
done
