# Sourced by gateway.sh and fleet.sh: several tellers at once, each of some scenes of $scenes, whose words lie in $work.
mkdir -p "$work"
status=0
tell() { # NAME SCENES...
    name=$1
    shift
    "${PYTHON:-python3}" "$scenes" "$@" >"$work/$name.txt" 2>&1
    echo $? >"$work/$name.status"
}

# Shows what a teller told, with its name. One with a failed check fails the script.
heard() { # NAME
    sed "s/^\(not ok\|ok\) - /\1 - $1: /" "$work/$1.txt"
    [ "$(cat "$work/$1.status")" -eq 0 ] || status=1
}

# Every scene has a teller. HOW: sort, or sort -u where a scene may be told twice.
all_told() { # SCRIPT HOW...
    script=$1
    shift
    told=$("${PYTHON:-python3}" "$scenes" --names | sort)
    known=$(sed -n 's/^tell [a-z]* \(.*[a-z]\)\( &\)\?$/\1/p' "$script" | tr ' ' '\n' | "$@")
    [ "$told" = "$known" ] || { echo "not ok - every scene is told by somebody"; status=1; }
}
