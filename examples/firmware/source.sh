#!/bin/sh
# Fetches the Debian source of PACKAGE and unpacks it as DIR/PACKAGE. Nothing in /etc is changed: a
# private apt configuration below DIR repeats the machine's own binary archives as source archives.
#
#     source.sh PACKAGE DIR
set -eu

package=$1
dir=$2
if [ -e "$dir/$package/.complete" ]; then
    exit 0
fi
mkdir -p "$dir/apt/lists/partial" "$dir/apt/stable/partial" "$dir/apt/cache/archives/partial"
dir=$(cd "$dir" && pwd)
release=sources lists=lists

private() {
    apt-get -q -o Dir::Etc::SourceList="$dir/apt/$release.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$dir/apt/$lists" -o Dir::Cache="$dir/apt/cache" \
        -o APT::Sandbox::User="$(id -un)" "$@"
}

fail() {
    echo "$0: cannot get the source of $package: $1" >&2
    echo "$0: unpack it by hand as $dir/$package (from https://packages.debian.org/source/$package)," \
        "then: touch $dir/$package/.complete" >&2
    exit 1
}

command -v dpkg-source >/dev/null || fail "dpkg-source is missing (apt-get install dpkg-dev)"

if [ ! -s "$dir/apt/sources.list" ] || ! ls "$dir/apt/lists/"*Sources* >/dev/null 2>&1; then
    # Only the distribution's own archives, with the distribution's own keys.
    apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Created-By: Packages' | sort -u | while read -r origin where; do
        case $origin in
        Debian) key=/usr/share/keyrings/debian-archive-keyring.gpg ;;
        Ubuntu) key=/usr/share/keyrings/ubuntu-archive-keyring.gpg ;;
        *) continue ;;
        esac
        if [ -e "$key" ]; then
            echo "deb-src [signed-by=$key] $where"
        else
            echo "deb-src $where"
        fi
    done >"$dir/apt/sources.list"
    [ -s "$dir/apt/sources.list" ] || fail "this machine has no Debian or Ubuntu archive configured"
    private update >"$dir/apt/update.log" 2>&1 || {
        rm -f "$dir/apt/sources.list"
        cat "$dir/apt/update.log" >&2
        fail "apt-get update failed"
    }
fi

download() {
    private source --download-only "$package" >>"$dir/apt/$package.log" 2>&1
}

# Some mirrors list a source of an older release but have lost its files: then it takes the stable
# release's.
download_from_stable() {
    release=stable lists=stable
    sed -n 's,\(.*/debian/*\) [^ ]* main$,\1 stable main,p' "$dir/apt/sources.list" | sort -u >"$dir/apt/stable.list"
    private update >>"$dir/apt/$package.log" 2>&1 && rm -f "$package"_* && download
}

cd "$dir"
: >"$dir/apt/$package.log"
download || download_from_stable || {
    cat "$dir/apt/$package.log" >&2
    fail "apt-get source failed"
}
rm -rf "$package"
dpkg-source -x "$(ls -t "$package"_*.dsc | head -n 1)" "$package" >>"$dir/apt/$package.log" 2>&1 ||
    fail "dpkg-source failed, see $dir/apt/$package.log"
touch "$package/.complete"
echo "source: $(basename "$(ls -t "$package"_*.dsc | head -n 1)" .dsc)"
