#!/bin/sh
# The page of the simulator in a headless browser (tests/page). Where no browser can be installed it
# says so, and counts as not run. page.sh PART...: only these; `access` has a script of its own.
set -u
mkdir -p build/logs build/node

not_run() {
    echo "not run - the page in a browser: $1"
    exit 0
}

# Two of these may begin at the same time; one installs.
exec 9>build/node/lock
flock 9 || exit 1

missing=
for program in chromium node npm; do
    command -v $program >/dev/null 2>&1 || missing="$missing $program"
done
missing=$(echo "$missing" | sed 's/ node/ nodejs/')
# shellcheck disable=SC2086
[ -z "$missing" ] || sh tools/need.sh $missing >build/logs/page-packages.txt 2>&1 ||
    not_run "cannot install$missing, see build/logs/page-packages.txt"

if [ ! -e build/node/node_modules/axe-core/axe.min.js ] ||
    [ ! -e build/node/node_modules/playwright-core/package.json ]; then
    npm install --prefix build/node --no-save --no-package-lock --no-audit --no-fund --ignore-scripts \
        playwright-core axe-core >build/logs/page-npm.txt 2>&1 ||
        not_run "npm cannot install playwright-core and axe-core, see build/logs/page-npm.txt"
fi
exec 9>&-
[ $# -ne 0 ] || set -- story windows many attacks picture
exec node tests/page/run.mjs "$@"
