#!/bin/sh
# Every fuzz target for FUZZ_TEST_SECONDS (.ci/run: a minute); without it, for a minute if CI is true,
# else for ten seconds.
seconds=10
if [ "${CI:-}" = true ]; then
    seconds=60
fi
"${MAKE:-make}" --no-print-directory -s fuzz-programs >/dev/null || exit 1
exec sh tests/fuzz/run.sh "${FUZZ_TEST_SECONDS:-$seconds}" webhook_request response json notification
