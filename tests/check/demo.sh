#!/bin/sh
# The demo goes through, and notices when something is not as it expects.
log=build/logs/demo.txt
mkdir -p build/logs

# say STATUS WHAT
say() {
    if [ "$1" -eq 0 ]; then
        echo "ok - $2"
    else
        echo "not ok - $2"
        tail -n 40 $log | sed 's/^/#   /'
    fi
}

sh examples/demo/run.sh >$log 2>&1
say $? "the demo goes through, every call as expected"
! grep -q 'client-secret-for-tests' $log
say $? "its transcript holds no secret"
export DEMO_OPTIONS=--quick
# A bare chroot has no localhost: the hosts file is empty, for this process and its children alone.
if unshare -m mount --bind /dev/null /etc/hosts 2>/dev/null; then
    unshare -m sh -c 'mount --bind /dev/null /etc/hosts && exec sh examples/demo/run.sh' >$log 2>&1
    say $? "it needs no hosts file"
else
    echo "not run - no own mounts here: a demo without a hosts file"
fi
set -f # the * of a fault plan is no file name
for options in "--bare-array" "--fault *:chunked=7,chunk_extras:0" "--fault *:until_close:0"; do
    # shellcheck disable=SC2086
    sh examples/demo/run.sh $options >$log 2>&1
    say $? "the same with $options"
done
for fault in delete_message:status=404:1 upload_image:corrupt=99:1 get_messages:cut=300:1 \
    mark_chat_as_read:status=500:1 subscribe_webhook:status=400:1; do
    ! sh examples/demo/run.sh --fault $fault >$log 2>&1
    say $? "it notices $fault"
done
before=$(date +%s)
! sh examples/demo/run.sh --fault get_self:status=503:0 >$log 2>&1 && grep -q 'the rest cannot be played' $log &&
    ! grep -q 'Who is waiting' $log && [ $(($(date +%s) - before)) -lt 10 ]
say $? "it stops where the first call fails that all others need"
exec "${PYTHON:-python3}" tests/check/demo_real.py
