#!/bin/sh
# What tools check: symbols, recursion and stack, and the house rules (tools/rooms.py).
status=0
sh tools/symbols.sh || status=1
"${PYTHON:-python3}" tools/callgraph.py || status=1
"${PYTHON:-python3}" tools/rooms.py || status=1
"${PYTHON:-python3}" tools/mutate.py --check || status=1
exit $status
