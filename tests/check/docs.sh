#!/bin/sh
# The code in the README and in the manual compiles, and what documents name is there. The README's tables of long runs are those that
# were run.
status=0
"${PYTHON:-python3}" tools/docs.py || status=1
"${PYTHON:-python3}" tools/long_runs.py --check || status=1
exit $status
