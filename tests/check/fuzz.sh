#!/bin/sh
# Every fuzz target, in every build (tests/fuzz.mk), for FUZZ_TEST_SECONDS of one core in all: an
# equal part for each. Without it, for 110 seconds.
"${MAKE:-make}" --no-print-directory -s fuzz-programs >/dev/null || exit 1
targets=$("${MAKE:-make}" --no-print-directory -s fuzz-list)
# shellcheck disable=SC2086
set -- $targets
each=$((${FUZZ_TEST_SECONDS:-110} / $#))
exec sh tests/fuzz/run.sh "$((each > 0 ? each : 1))" "$@"
