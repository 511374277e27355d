#!/bin/sh
# The chapters of the header: the contents list in the manual and the marks agree.
#
# A chapter begins with three lines:
#      * ===...=== *
#      * >>20 VERSION AND COMPILER
#      * ===...=== *
# (the first chapter of a comment may have "/* ===" as its first line). The contents list has the
# same ">>20 VERSION AND COMPILER" once, after more blanks, before the first chapter. Marks rise.
# ">>20" elsewhere in the text must be a chapter that exists.
set -eu
cd "$(dirname "$0")/.."
header=${1:-avito_messenger.h}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

say() { # GOOD TEXT FILE
    if [ "$1" = 0 ]; then
        echo "ok - $2"
    else
        echo "not ok - $2"
        sed 's/^/#   /' "$3"
        status=1
    fi
}

awk -v chapters="$work/chapters" -v list="$work/list" -v used="$work/used" '
    {
        text = $0
        while (match(text, />>[0-9]+/)) {
            print substr(text, RSTART, RLENGTH) >used
            text = substr(text, RSTART + RLENGTH)
        }
    }
    /^ \* +>>[0-9]+ +[A-Z]/ {
        title = $0
        sub(/^ \* +/, "", title)
        sub(/ +$/, "", title)
        gsub(/ +/, " ", title)
        if (before ~ /====/) {
            print title >chapters
        } else {
            print title >list
        }
    }
    { before = $0 }
' "$header"
touch "$work/chapters" "$work/list" "$work/used"

cut -d' ' -f1 "$work/chapters" | tr -d '>' >"$work/numbers"
sort -n -u "$work/numbers" | diff - "$work/numbers" >"$work/diff" && good=0 || good=1
say $good "the $(wc -l <"$work/numbers") chapter marks rise and none stands twice" "$work/diff"

if [ -s "$work/list" ]; then
    diff "$work/list" "$work/chapters" >"$work/diff" && good=0 || good=1
    say $good "the contents list is the list of the marks" "$work/diff"
elif ! grep -q '^ \* >>1 ' "$header"; then
    echo "# no manual yet"
else
    echo "no line like \" *     >>20 TITLE\" before the first chapter" >"$work/diff"
    say 1 "the manual has a contents list" "$work/diff"
fi

if [ -s "$work/list" ]; then
    sort -u "$work/used" | while read -r mark; do
        # ">>1" in "search for >>1" is a mark like the others.
        grep -q "^$mark " "$work/chapters" || echo "$mark"
    done >"$work/lost"
    [ -s "$work/lost" ] && good=1 || good=0
    say $good "every >>n in the text is a chapter" "$work/lost"
fi
exit $status
