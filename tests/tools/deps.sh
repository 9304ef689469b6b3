#!/bin/bash
# Installs the Debian packages that are missing: deps.sh GROUP… with the groups build, demo, test, brokers, bench, deb, container, image, cross, lint.
# As root, or through sudo; says what it installs, and neither says nor does anything when all is there.
#
# SPDX-License-Identifier: MIT
set -eu -o pipefail
SECONDS=0 # `make demo SECONDS=20` hands another one down

build=(gcc libc6-dev make pkg-config libpaho-mqtt-dev libssl-dev libpq-dev libconfig-dev libcjson-dev
    libmicrohttpd-dev libpcre2-dev libxxhash-dev libsystemd-dev libzstd-dev zlib1g-dev)
demo=(mosquitto mosquitto-clients postgresql python3)
test=(libcunit1-dev mosquitto mosquitto-clients postgresql postgresql-contrib postgresql-postgis pgbouncer python3
    python3-paho-mqtt python3-psycopg2 python3-yaml openssl curl chromium chromium-driver)
# Without these the tests at other brokers are skipped.
brokers=(rabbitmq-server ejabberd)
bench=(python3-psycopg)
deb=(dpkg-dev)
container=(debootstrap systemd-container lintian)
image=(buildah podman crun)
cross=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static libcunit1-dev)
# Its name has PostgreSQL's version; elsewhere the test of it is passed over.
if grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release; then
    test+=(postgresql-15-partman)
fi
lint=(clang libclang-rt-dev clang-format clang-tidy cppcheck gcovr)

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

as_root=() how="apt-get"
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "deps: neither root nor sudo; as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo) how="sudo apt-get"
fi

echo "deps: $how installs what is missing, a minute or two:"
printf '%s\n' "${missing[*]}" | fold -s -w 74 | sed 's/ *$//; s/^/      /'
services=""
for package in "${missing[@]}"; do
    case $package in mosquitto | postgresql) services+=" $package" ;; esac
done
if [ -n "$services" ]; then
    echo "deps: Debian starts its own$services; tests and demo use private ones on other ports instead"
    echo "      (if you don't want Debian's: systemctl disable --now$services)"
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# apt's own words go to the log, which is shown when it fails; a terminal gets the latest of them in one line.
apt() { # ARGUMENT…
    local code=0
    # The C locale: a language that comes in over ssh and is not installed here would make perl complain a hundred times.
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
        apt-get -o DPkg::Lock::Timeout=300 "$@" </dev/null 2>&1 | while IFS= read -r line; do
        line=${line%$'\r'} line=${line##*$'\r'}
        printf '%s\n' "$line" >>"$log"
        [ ! -t 1 ] || printf '\r\033[K      %.50s' "$line"
    done || code=$?
    [ ! -t 1 ] || printf '\r\033[K'
    return "$code"
}

if ! apt update -q; then
    echo "deps: apt-get update had problems (below); going on with the lists that are here"
    grep -E '^[EW]:' "$log" || tail -n 5 "$log"
fi
if ! apt install -y -q --no-install-recommends "${missing[@]}"; then
    echo "deps: apt-get could not install them; its last lines:" >&2
    tail -n 20 "$log" >&2
    exit 1
fi
echo "deps: installed in $SECONDS s"
