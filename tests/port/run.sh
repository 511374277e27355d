#!/bin/sh
# Builds and runs all programs of tests/port.mk, two at a time. One line each; after a failure what
# the program said. The log of the build is build/port/build.txt.
set -u
unset MAKEFLAGS MAKELEVEL MFLAGS 2>/dev/null
jobs=${JOBS:-2}

run() { # PROGRAM LOG RUNNER...
    program=$1 log=$2
    shift 2
    CMOCKA_MESSAGE_OUTPUT=TAP timeout "${PORT_SECONDS:-120}" "$@" "$program" >"$log" 2>&1
    status=$?
}

one() {
    program=$1
    target=$(basename "$(dirname "$program")")
    name="$target: $(basename "$program")"
    log=$program.txt
    if [ ! -x "$program" ]; then
        echo "not ok - $name was not built: build/port/build.txt"
        return
    fi
    case $target in
    s390x | mips) runner=qemu-$target ;;
    *) runner= ;;
    esac
    run "$program" "$log" $runner
    # Not every kernel runs 32-bit programs: then nothing of this one was run.
    [ "$target" != x86_32 ] || grep -q '^1\.\.' "$log" || run "$program" "$log" qemu-i386
    planned=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$log")
    passed=$(grep '^ok' "$log" | grep -vci '# skip')
    if [ "$status" -eq 0 ] && [ "${planned:-0}" -gt 0 ] && [ "$passed" = "$planned" ]; then
        echo "ok - $name, $passed tests"
    else
        printf '%s\n' "not ok - $name, status $status, $passed of ${planned:-?} tests
$(grep -v '^ok' "$log" | head -n 60 | sed 's/^/#   /')"
    fi
}

if [ $# -gt 0 ]; then
    one "$1"
    exit 0
fi

mkdir -p build/port
make -k -j"$jobs" port-programs >build/port/build.txt 2>&1 || grep -iE 'error|\*\*\*' build/port/build.txt |
    head -n 40 | sed 's/^/#   /'
programs=$(make -s port-list)
[ -n "$programs" ] || { echo "not ok - tests/port.mk lists programs"; exit 1; }
printf '%s\n' $programs | xargs -n 1 -P "$jobs" sh "$0" >build/port/results.txt
cat build/port/results.txt
! grep -q '^not ok' build/port/results.txt
