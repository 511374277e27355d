#!/bin/sh
# tests/world/many.sh [SEEDS [SECONDS]]: plays SEEDS of the simulated world (1,000,000) in pieces of
# 10,000, one process at a time, for SECONDS at most. WORLD_FROM: the first seed.
seeds=${1:-1000000}
end=$(($(date +%s) + ${2:-86400}))
first=${WORLD_FROM:-1}
done=0
while [ "$done" -lt "$seeds" ] && [ "$(date +%s)" -lt "$end" ]; do
    piece=$((seeds - done < 10000 ? seeds - done : 10000))
    build/world --from $((first + done)) --seeds "$piece" || {
        echo "not ok - seeds $((first + done)) to $((first + done + piece - 1)) do not all hold"
        exit 1
    }
    done=$((done + piece))
done
echo "ok - seeds $first to $((first + done - 1)) hold, $done of $seeds"
