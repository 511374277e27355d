#!/bin/sh
# What compilers do not warn about: gcc's analyser, clang-tidy and cppcheck, with the checks that
# find bugs and few of those about style. The header is given as the main file, not as an included
# one, whose functions clang's would skip.
set -u
cd "$(dirname "$0")/../.."
status=0
config="-I. -Itests -DAVITO_MESSENGER_IMPLEMENTATION -DAVITO_WITH_POSIX=1 -DAVITO_WITH_BEARSSL=1"

said()
{
    if [ "$2" -eq 0 ]; then
        echo "ok - $1"
    else
        echo "not ok - $1"
        status=1
    fi
}

# Without the usual warnings, which tests/compile/matrix.py covers. GCC 12 takes a byte of which one
# bit was set for unwritten; MSan finds those that really are (tests/fuzz).
gcc -std=c99 -D_GNU_SOURCE -O2 -fanalyzer -Werror -Wno-unused-function \
    -Wno-analyzer-use-of-uninitialized-value $config -x c -c -o /dev/null avito_messenger.h
said "gcc -fanalyzer" $?

checks='-*,bugprone-*,misc-redundant-expression,readability-misleading-indentation'
checks="$checks,-bugprone-easily-swappable-parameters,-bugprone-reserved-identifier"
checks="$checks,-bugprone-not-null-terminated-result"
checks="$checks,-bugprone-narrowing-conversions,-bugprone-implicit-widening-of-multiplication-result"
checks="$checks,-bugprone-macro-parentheses,-bugprone-assignment-in-if-condition"
checks="$checks,-bugprone-casting-through-void,-bugprone-multi-level-implicit-pointer-conversion"
clang-tidy --quiet --checks="$checks" --warnings-as-errors='*' avito_messenger.h -- \
    -x c -std=c99 -D_GNU_SOURCE -Wno-unused-function $config 2>/dev/null
said "clang-tidy" $?

cppcheck --quiet --std=c99 --language=c --enable=warning,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingInclude --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
    -UAVITO_STATIC $config -D_POSIX_C_SOURCE=200809L -DAI_NUMERICHOST=4 -DMSG_NOSIGNAL=1 \
    -DCLOCK_MONOTONIC=1 avito_messenger.h
said "cppcheck" $?
exit $status
