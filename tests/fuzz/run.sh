#!/bin/sh
# tests/fuzz/run.sh SECONDS PROGRAM...: runs each build/fuzz*/NAME for SECONDS, two at a time.
# Prints "ok - fuzz NAME: N runs" for each, or "not ok" and the finding. Findings are in
# build/fuzz*/NAME-*; inputs that earlier runs learned are kept in build/fuzz*/corpus/NAME. With
# FUZZ_SEED set, and nothing learned yet, two runs try the same inputs in the same order, as far as
# their time allows: libFuzzer learns from what the program compares, so neither addresses nor what
# shifts them may vary. FUZZ_TIMEOUT: seconds by the clock for one input, 20.
seconds=$1
shift
again=
if [ -n "${FUZZ_SEED:-}" ]; then
    again="-seed=$FUZZ_SEED -reload=0"
fi

# The program at fixed addresses, where the system lets us.
fixed() {
    if [ -n "$again" ] && setarch "$(uname -m)" -R true 2>/dev/null; then
        env -i PATH=/usr/bin:/bin setarch "$(uname -m)" -R "$@"
    else
        "$@"
    fi
}

one() {
    name=$(basename "$1")
    work=$(dirname "$1")
    mkdir -p "$work/seeds/$name" "$work/corpus/$name"
    "${PYTHON:-python3}" tests/fuzz/seeds.py "$name" "$work/seeds/$name" || return 1
    find "$work/seeds/$name" "tests/fuzz/corpus/$name" -type f 2>/dev/null | LC_ALL=C sort |
        paste -sd, | tr -d '\n' >"$work/$name.seeds" # a line end would belong to the last name
    find "$work/seeds/$name" "tests/fuzz/corpus/$name" "$work/corpus/$name" -type f -size +0 2>/dev/null |
        wc -l >"$work/$name.count"
    dict=
    if [ -f "tests/fuzz/$name.dict" ]; then
        dict="-dict=tests/fuzz/$name.dict"
    fi
    # shellcheck disable=SC2086
    fixed "$1" $again -max_total_time="$seconds" -max_len=4096 -timeout="${FUZZ_TIMEOUT:-20}" -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$1-" $dict \
        -seed_inputs="@$work/$name.seeds" \
        "$work/corpus/$name" >"$1.log" 2>&1
}

# Every initial file must have been read, including the last one of the list.
report() {
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$1.log")
    read=$(sed -n 's/^INFO: seed corpus: files: \([0-9]*\) .*/\1/p' "$1.log" | head -n 1)
    listed=$(cat "$(dirname "$1")/$(basename "$1").count")
    if [ "${read:-0}" -ne "$listed" ]; then
        echo "not ok - fuzz ${1#build/}: ${read:-0} files were read, $listed are there"
        tail -n 60 "$1.log"
        failed=1
    elif [ "$2" -eq 0 ] && [ "${runs:-0}" -gt 0 ]; then
        echo "ok - fuzz ${1#build/}: $runs runs"
        total=$((total + runs))
    else
        echo "not ok - fuzz ${1#build/}"
        tail -n 60 "$1.log"
        failed=1
        found="$found ${1#build/}"
    fi
}

failed=0
found=
total=0
targets=$#
while [ $# -gt 0 ]; do
    one "$1" &
    first=$!
    if [ $# -gt 1 ]; then
        status=0
        one "$2" || status=$?
        report "$2" "$status"
    fi
    status=0
    wait "$first" || status=$?
    report "$1" "$status"
    shift
    [ $# -eq 0 ] || shift
done
if [ "$failed" -eq 0 ]; then
    echo "ok - $targets targets, $seconds s each: $total runs, nothing found"
else
    echo "not ok - $targets targets, $seconds s each: look at$found"
fi
exit "$failed"
