#!/bin/bash
# Builds the container image with buildah and runs it with podman: test-image.sh BASE FOLDER. As root. BASE, a minimal Debian 12 as
# test-deb.sh makes it, stands for the image debian:12-slim, since no registry need be reachable. Images and layers stay in FOLDER.
#
# SPDX-License-Identifier: MIT
set -eu -o pipefail

base=$1
folder=$(realpath -m "$2")
mkdir -p "$folder"
export BUILDAH_ISOLATION=chroot
store=(--root "$folder/root" --runroot "$folder/run" --storage-driver overlay)

if ! buildah "${store[@]}" inspect --type image docker.io/library/debian:12-slim >/dev/null 2>&1; then
    container=$(buildah "${store[@]}" from scratch)
    buildah "${store[@]}" copy -q "$container" "$base" / >/dev/null
    buildah "${store[@]}" commit -q "$container" docker.io/library/debian:12-slim >/dev/null
    buildah "${store[@]}" rm "$container" >/dev/null
fi
buildah "${store[@]}" bud --quiet --pull-never --format docker --file docker/Dockerfile --tag localhost/mqtt2pg . >"$folder/build.log" 2>&1 ||
    { tail -20 "$folder/build.log"; exit 1; }

# Limits and control groups are the caller's: raising or making them needs rights that a container may not have.
export MQTT2PG_PODMAN="podman ${store[*]}" MQTT2PG_PODMAN_RUN="--cgroups disabled --ulimit nofile=1024:1024 --ulimit nproc=1024:1024"
tests=(image)
# shellcheck disable=SC2086 # words
if ! reason=$($MQTT2PG_PODMAN run --rm $MQTT2PG_PODMAN_RUN --network host localhost/mqtt2pg --version 2>&1); then
    echo "test-image: built, but not run, for no container runs here: $(tail -1 <<<"$reason")"
    tests=(image:contents)
fi
tests/integration/run.py "${tests[@]}"
