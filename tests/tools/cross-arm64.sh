#!/bin/bash
# Builds the program and the unit tests for arm64, where `char` is unsigned, and runs the units
# under qemu: cross-arm64.sh MAKE BUILD. The libraries are Debian's packages for arm64, unpacked into
# BUILD/arm64-root; this machine's own packages stay as they are.
#
# SPDX-License-Identifier: MIT
set -eu -o pipefail

make=$1
mkdir -p "$2"
build_path=$(realpath "$2")
root="$build_path/arm64-root"
# What a build needs is said in one place.
eval "$(sed -n '/^build=(/,/)/p' tests/tools/deps.sh)"
packages=(libc6-dev libcunit1-dev)
for package in "${build[@]}"; do
    case $package in gcc | make | pkg-config | libc6-dev) ;; *-compiler) ;; *) packages+=("$package") ;; esac
done

fetch() {
    local apt="$build_path/arm64-apt"
    mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    local options=(-q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o "Dir::State=$apt/state"
        -o "Dir::Cache=$apt/cache" -o "Dir::State::status=$apt/status" -o Debug::NoLocking=1)
    apt-get "${options[@]}" update >"$apt/log" 2>&1 &&
        apt-get "${options[@]}" install -y --no-install-recommends --download-only \
            "${packages[@]}" >>"$apt/log" 2>&1 || { tail -20 "$apt/log"; return 1; }
    rm -rf "$root.new"
    local package
    for package in "$apt"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$root.new"
    done
    # Links to absolute paths lead out of the tree.
    find "$root.new" -type l -lname '/*' | while IFS= read -r link; do
        ln -sfn "$root$(readlink "$link")" "$link"
    done
    mv "$root.new" "$root"
    rm -rf "$apt"
}

# A changed list of packages makes a new tree.
stamp="$root/packages"
[ "$(cat "$stamp" 2>/dev/null)" = "${packages[*]}" ] || { rm -rf "$root"; fetch; echo "${packages[*]}" >"$stamp"; }

export PKG_CONFIG_SYSROOT_DIR="$root"
export PKG_CONFIG_LIBDIR="$root/usr/lib/aarch64-linux-gnu/pkgconfig:$root/usr/share/pkgconfig"
compiler=$(command -v ccache || true)" aarch64-linux-gnu-gcc"
cross=(CC="$compiler --sysroot=$root" BUILD="$build_path/arm64" STRICT=1)
"$make" -j"$(nproc)" program FLAVOUR=release "${cross[@]}"
export QEMU_LD_PREFIX="$root" EMULATOR=qemu-aarch64-static UNIT_SECONDS=300
# Three tests are none of qemu's: one starts itself anew, one wants the limits of the kernel, and one takes gigabytes there.
"$make" run-units FLAVOUR=test "${cross[@]}" \
    SKIP_UNITS="journal/test_journal_crash base/test_memory journal/test_journal_damage"
