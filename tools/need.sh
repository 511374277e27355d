#!/bin/sh
# tools/need.sh PACKAGE... - make sure that these Debian packages are installed.
# tools/need.sh --plan PACKAGE... - only say which are missing, and how large they are.
#
# PACKAGE|PACKAGE: one of them, the first that this release has.
#
# Installs only what dpkg says is missing, as root or through sudo. Says nothing and needs no network
# when everything is there. Where it cannot install, it says what to install and returns 1.
set -u

installed() {
    # Packages for several architectures ("libc6:i386") give one word per architecture.
    case $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) in
        *not-installed) return 1 ;;
        *installed) return 0 ;;
        *) return 1 ;;
    esac
}

plan=
if [ "${1:-}" = --plan ]; then
    plan=yes
    shift
fi

# The first of the alternatives that apt knows.
choice() {
    for name in $(echo "$1" | tr '|' ' '); do
        apt-cache show "$name" >/dev/null 2>&1 && break
    done
    echo "$name"
}

missing=
for package in "$@"; do
    there=
    for name in $(echo "$package" | tr '|' ' '); do
        installed "$name" && there=yes
    done
    [ -n "$there" ] || missing="$missing $package"
done
if [ -z "$missing" ]; then
    [ -z "$plan" ] || echo "need.sh: all $# Debian packages are installed"
    exit 0
fi

names() {
    for package in $missing; do choice "$package"; done | tr '\n' ' '
}

# What apt would do, in its own words; nothing if the package lists have not been fetched yet.
size() {
    # shellcheck disable=SC2046
    LC_ALL=C apt-get install --assume-no --no-install-recommends $(names) 2>/dev/null </dev/null |
        sed -n 's/^\(Need to get .*\|After this operation, .*\)$/need.sh: \1/p'
}
if [ -n "$plan" ]; then
    echo "need.sh: to be installed: $(names)"
    [ -z "$(command -v apt-get)" ] || size
    exit 0
fi

give_up() {
    echo "need.sh: $1" >&2
    echo "need.sh: please run" >&2
    echo "    apt-get install --no-install-recommends $(names)" >&2
    exit 1
}

command -v apt-get >/dev/null 2>&1 || give_up "this machine has no apt-get"
if [ "$(id -u)" -eq 0 ]; then
    root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    root=sudo
elif command -v sudo >/dev/null 2>&1 && [ -t 0 ]; then
    root=sudo # may ask for a password
else
    give_up "not root, and sudo is not available"
fi

# A package that starts a service (nginx) must not start it here: policy-rc.d forbids it for all. An
# existing policy is left alone.
policy=/usr/sbin/policy-rc.d
made_policy=
if [ ! -e $policy ]; then
    if printf '#!/bin/sh\nexit 101\n' | $root tee $policy >/dev/null && $root chmod 755 $policy; then
        made_policy=yes
    fi
fi
drop_policy() {
    [ -z "$made_policy" ] || $root rm -f $policy
    made_policy=
}
trap drop_policy EXIT
trap 'exit 1' HUP INT TERM

# Two of these may run at once: each waits for the lock. Word splitting is meant.
install() {
    # shellcheck disable=SC2046
    $root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -q \
        --no-install-recommends $(names) </dev/null
}

echo "need.sh: installing $(names)"
size
log=$(mktemp)
if ! install >"$log" 2>&1; then
    # The package lists may be missing (fresh container) or old: fetch them once and try again.
    $root apt-get -o DPkg::Lock::Timeout=300 update -q >"$log" 2>&1 </dev/null
    size
    if ! install >>"$log" 2>&1; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        give_up "apt-get could not install them"
    fi
fi
rm -f "$log"
