#!/bin/sh
# clang-tidy and cppcheck, with the checks that find bugs and few of those that have opinions.
set -u
cd "$(dirname "$0")/.."
status=0
checks='-*,bugprone-*,clang-analyzer-*,misc-redundant-expression,readability-misleading-indentation'
checks="$checks,-bugprone-easily-swappable-parameters,-bugprone-reserved-identifier"
checks="$checks,-bugprone-not-null-terminated-result,-clang-analyzer-valist.Uninitialized"
checks="$checks,-bugprone-narrowing-conversions,-bugprone-implicit-widening-of-multiplication-result"
checks="$checks,-bugprone-macro-parentheses,-bugprone-assignment-in-if-condition"
checks="$checks,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling"
clang-tidy --quiet --checks="$checks" --warnings-as-errors='*' --header-filter='avito_messenger\.h' \
    tests/compile/impl.c -- -std=c99 -I. -Itests -D_GNU_SOURCE \
    -DAVITO_WITH_POSIX=1 -DAVITO_WITH_BEARSSL=1 2>/dev/null || status=1
cppcheck --quiet --std=c99 --enable=warning,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingInclude --suppress=missingIncludeSystem -I. -DAVITO_WITH_POSIX=1 \
    -DAVITO_WITH_BEARSSL=1 -UAVITO_STATIC -D_POSIX_C_SOURCE=200809L \
    -DAI_NUMERICHOST=4 -DMSG_NOSIGNAL=1 -DCLOCK_MONOTONIC=1 tests/compile/impl.c || status=1
exit $status
