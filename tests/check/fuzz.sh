#!/bin/sh
# Every fuzz target, in every build (tests/fuzz.mk), for FUZZ_TEST_SECONDS in all, of one core: an equal part
# for each. Without it, for 330 seconds if CI is true (.ci/run says so, too), else for 110.
seconds=110
if [ "${CI:-}" = true ]; then
    seconds=330
fi
"${MAKE:-make}" --no-print-directory -s fuzz-programs >/dev/null || exit 1
targets=$("${MAKE:-make}" --no-print-directory -s fuzz-list)
# shellcheck disable=SC2086
set -- $targets
each=$((${FUZZ_TEST_SECONDS:-$seconds} / $#))
exec sh tests/fuzz/run.sh "$((each > 0 ? each : 1))" "$@"
