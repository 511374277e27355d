#!/bin/sh
# Does a seed repeat byte by byte? Does the world hold under the sanitizers? Does it notice bugs?
failed=0
run() {
    what=$1
    shift
    if out=$("$@"); then
        echo "ok - $what: $(echo "$out" | sed -n 's/^ok - //p')"
    else
        echo "$out"
        echo "not ok - $what"
        failed=1
    fi
}
run "byte for byte the same when repeated" build/world --seeds 500 --twice
run "under ASan and UBSan" build/world.san --from 20001 --seeds 400
"${PYTHON:-python3}" tests/world/plant.py || failed=1
exit $failed
