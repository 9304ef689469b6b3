#!/bin/bash
# Builds the container image with buildah and runs it with podman: test-image.sh BASE FOLDER [ARCH]. As root. BASE, a minimal
# Debian 12 as test-deb.sh makes it, stands for the image debian:12-slim, since no registry need be reachable. Images and layers
# stay in FOLDER. With ARCH (arm64) BASE is made here, and qemu runs what is in it: this takes a quarter of an hour.
#
# SPDX-License-Identifier: MIT
set -eu -o pipefail

base=$1
folder=$(realpath -m "$2")
arch=${3:-$(dpkg --print-architecture)}
mkdir -p "$folder"
export BUILDAH_ISOLATION=chroot
store=(--root "$folder/root" --runroot "$folder/run" --storage-driver overlay)

# The kernel hands programs of arm64 to qemu, and opens qemu itself at once (F): no tree needs to have it.
emulate() {
    local formats=/proc/sys/fs/binfmt_misc
    [ -e $formats/register ] || mount -t binfmt_misc none $formats
    [ -e $formats/qemu-aarch64 ] || cat /usr/lib/binfmt.d/qemu-aarch64.conf >$formats/register
}

if [ "$arch" = arm64 ] && [ "$arch" != "$(dpkg --print-architecture)" ]; then
    emulate
    [ -x "$base/usr/bin/apt-get" ] || debootstrap --arch="$arch" --variant=minbase bookworm "$base"
fi

if ! buildah "${store[@]}" inspect --type image docker.io/library/debian:12-slim >/dev/null 2>&1; then
    container=$(buildah "${store[@]}" from --arch "$arch" scratch)
    buildah "${store[@]}" config --arch "$arch" "$container"
    buildah "${store[@]}" copy -q "$container" "$base" / >/dev/null
    buildah "${store[@]}" commit -q "$container" docker.io/library/debian:12-slim >/dev/null
    buildah "${store[@]}" rm "$container" >/dev/null
fi
buildah "${store[@]}" bud --quiet --pull-never --arch "$arch" --format docker --file docker/Dockerfile --tag localhost/mqtt2pg . >"$folder/build.log" 2>&1 ||
    { tail -20 "$folder/build.log"; exit 1; }

# Limits and control groups are the caller's: raising or making them needs rights that a container may not have.
export MQTT2PG_PODMAN="podman ${store[*]}" MQTT2PG_PODMAN_RUN="--cgroups disabled --ulimit nofile=1024:1024 --ulimit nproc=1024:1024"
tests=(image)
# shellcheck disable=SC2086 # words
if ! reason=$($MQTT2PG_PODMAN run --rm $MQTT2PG_PODMAN_RUN --network host localhost/mqtt2pg --version 2>&1); then
    echo "test-image: built, but not run, for no container runs here: $(tail -1 <<<"$reason")"
    # Its files are a root, then: the program runs there as the image's user, under qemu where it is for another machine.
    tests=(image:contains_what_is_needed_only image:runs_in_its_root)
    export MQTT2PG_IMAGE_ROOT="$folder/tree"
    rm -rf "$MQTT2PG_IMAGE_ROOT"
    cp -a "$($MQTT2PG_PODMAN image mount localhost/mqtt2pg)" "$MQTT2PG_IMAGE_ROOT"
    $MQTT2PG_PODMAN image unmount localhost/mqtt2pg >/dev/null
fi
tests/integration/run.py "${tests[@]}"
