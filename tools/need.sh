#!/bin/sh
# tools/need.sh PACKAGE... - make sure that these Debian packages are installed.
#
# Installs only what dpkg says is missing, as root or through sudo. Says nothing and needs no network
# when everything is there. Where it cannot install, it says what to install and returns 1.
set -u

missing=
for package in "$@"; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)
    # Packages for several architectures ("libc6:i386") give one word per architecture.
    case $state in
        *installed) case $state in *not-installed) missing="$missing $package" ;; esac ;;
        *) missing="$missing $package" ;;
    esac
done
[ -z "$missing" ] && exit 0

give_up() {
    echo "need.sh: $1" >&2
    echo "need.sh: please install these Debian packages:$missing" >&2
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

# A package that starts a service (nginx) must not start it here: policy-rc.d says no to all.
# An existing policy is left alone.
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

# The lock wait serves two of these running at once. Word splitting of $missing is meant.
install() {
    # shellcheck disable=SC2086
    $root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -q \
        --no-install-recommends $missing </dev/null
}

echo "need.sh: installing$missing"
log=$(mktemp)
if ! install >"$log" 2>&1; then
    # The package lists may be missing (fresh container) or old: fetch them once and try again.
    $root apt-get -o DPkg::Lock::Timeout=300 update -q >"$log" 2>&1 </dev/null
    if ! install >>"$log" 2>&1; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        give_up "apt-get could not install them"
    fi
fi
rm -f "$log"
