#!/bin/sh
# Ten thousand seeds of the simulated world (tests/world): every one must hold.
out=$(build/world --seeds "${WORLD_SEEDS:-10000}") || { echo "$out"; echo "not ok - seeds of the simulated world"; exit 1; }
echo "$out" | sed 's/^     /# /'
