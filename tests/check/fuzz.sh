#!/bin/sh
# Every fuzz target of the core for a short time, from the files of tests/data. FUZZ_TEST_SECONDS sets
# how long each runs.
seconds=${FUZZ_TEST_SECONDS:-10}
failed=0
for target in json response notification; do
    log=build/fuzz/$target.log
    mkdir -p build/fuzz
    if make --no-print-directory "fuzz-$target" FUZZ_SECONDS="$seconds" >"$log" 2>&1 &&
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log") && [ "${runs:-0}" -gt 300 ]; then
        echo "ok - fuzz $target: $runs inputs in $seconds s"
    else
        tail -20 "$log" | sed 's/^/# /'
        echo "not ok - fuzz $target"
        failed=1
    fi
done
exit $failed
