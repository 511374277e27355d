#!/bin/sh
# The test runner: a script that ran out of time is run once more, alone, and that run counts.
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

echo 'echo "ok - at once"' >"$folder/good.sh"
cat >"$folder/once.sh" <<EOF
[ -e "$folder/again" ] || { touch "$folder/again"; sleep 20; }
echo "ok - the second time"
EOF
echo 'echo "ok - before it hangs"; sleep 20' >"$folder/never.sh"

said() {
    "${PYTHON:-python3}" tools/run_tests.py --jobs 2 --seconds 2 --logs "$folder/logs" --scripts "$@" 2>&1
}

check() { # WHAT TEXT PATTERN...
    what=$1 text=$2
    shift 2
    for pattern in "$@"; do
        echo "$text" | grep -q "$pattern" || { echo "not ok - $what"; echo "$text" | sed 's/^/#   /'; return; }
    done
    echo "ok - $what"
}

check "what ran out of time once passes alone" "$(said "$folder/once.sh" "$folder/good.sh")" \
    "once.sh: ran out of time; once more, alone, at the end" "^ok .*once.sh: 1 passed, 0 failed" "^2 passed, 0 failed$"
check "a package that has several names is told by one, which can be pasted" \
    "$(sh tools/need.sh --plan 'no-such-package|no-such-either' 2>&1)" "to be installed: no-such-either *$"
check "what runs out of time twice has failed" "$(said "$folder/never.sh" "$folder/good.sh")" \
    "never.sh: ran out of time; once more" "^FAIL .*never.sh: 1 passed, 1 failed" "^2 passed, 1 failed$"

echo "until [ -e $folder/begun ]; do sleep 0.1; done; echo 'ok - waited'" >"$folder/waits.sh"
echo "touch $folder/begun; echo 'ok - began'" >"$folder/begins.sh"
text=$("${PYTHON:-python3}" tools/run_tests.py --jobs 1 --seconds 9 --logs "$folder/logs" \
    --scripts "$folder/waits.sh" --beside "$folder/begins.sh" 2>&1)
check "what mostly waits runs beside the others" "$text" "^2 passed, 0 failed$"
