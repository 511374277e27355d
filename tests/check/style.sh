#!/bin/sh
# What is held by tools: symbols, recursion and stack, chapter marks, lengths of functions.
status=0
sh tools/symbols.sh || status=1
"${PYTHON:-python3}" tools/callgraph.py || status=1
sh tools/marks.sh || status=1
"${PYTHON:-python3}" tools/lengths.py || status=1
exit $status
