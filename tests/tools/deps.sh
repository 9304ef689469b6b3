#!/bin/bash
# Installs the Debian packages that are missing: deps.sh GROUP… with the groups build, test, lint.
# As root, or through sudo; says what it installs and does nothing when all is there.
#
# SPDX-License-Identifier: MIT
set -eu

build=(gcc libc6-dev make pkg-config libpaho-mqtt-dev libpq-dev libconfig-dev libcjson-dev
    libmicrohttpd-dev libxxhash-dev libsystemd-dev)
test=(libcunit1-dev mosquitto mosquitto-clients postgresql postgresql-contrib python3
    python3-paho-mqtt python3-psycopg openssl curl)
lint=(clang clang-format clang-tidy cppcheck gcovr)

if ! command -v dpkg-query >/dev/null; then
    echo "deps: this is no Debian; install the equivalents of: ${build[*]} ${test[*]}" >&2
    exit 0
fi

missing=()
for group in "$@"; do
    declare -n packages=$group
    for package in "${packages[@]}"; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || missing+=("$package")
    done
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

echo "deps: installing ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "deps: neither root nor sudo; as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
# Services that come with the packages are not needed: tests and demo start their own.
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "deps: installed ${#missing[@]} packages"
