#!/bin/sh
# tests/fuzz/run.sh SECONDS NAME...: runs build/fuzz/NAME each for so long, two at a time. Prints "ok -
# fuzz NAME: N runs" for each, or "not ok" and the finding. What was found lies in build/fuzz/NAME-*;
# what the runs before learned is kept in build/fuzz/corpus/NAME.
seconds=$1
shift
work=build/fuzz

one() {
    name=$1
    mkdir -p "$work/seeds/$name" "$work/corpus/$name"
    "${PYTHON:-python3}" tests/fuzz/seeds.py "$name" "$work/seeds/$name" || return 1
    set -- "$work/corpus/$name" "$work/seeds/$name"
    if [ -d "tests/fuzz/corpus/$name" ]; then
        set -- "$@" "tests/fuzz/corpus/$name"
    fi
    "$work/$name" -max_total_time="$seconds" -max_len=4096 -timeout=20 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$work/$name-" -dict="tests/fuzz/$name.dict" \
        "$@" >"$work/$name.log" 2>&1
}

report() {
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$1.log")
    if [ "$2" -eq 0 ] && [ "${runs:-0}" -gt 0 ]; then
        echo "ok - fuzz $1: $runs runs"
    else
        echo "not ok - fuzz $1"
        tail -n 60 "$work/$1.log"
        failed=1
    fi
}

failed=0
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
exit "$failed"
