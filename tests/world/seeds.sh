#!/bin/sh
# The first ten thousand seeds of the simulated world (tests/world) must all hold. They take some 45
# seconds of one core. WORLD_SEEDS: another number of them.
out=$(build/world --seeds "${WORLD_SEEDS:-10000}") || { echo "$out"; echo "not ok - seeds of the simulated world"; exit 1; }
echo "$out" | sed 's/^     /# /'
