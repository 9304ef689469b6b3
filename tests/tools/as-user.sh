#!/bin/bash
# Runs a command as an ordinary user on a machine with Debian's own /etc/hosts, where localhost is ::1 as well as 127.0.0.1:
# as-user.sh COMMAND…  As root. The user, the hosts and a copy of this folder (without .git and build) exist in a mount
# namespace only. Tests often hold by accident where everything is root's and localhost has one address.
#
# SPDX-License-Identifier: MIT
set -eu -o pipefail

user=tester uid=61234
folder=$(mktemp -d "${TMPDIR:-/tmp}/mqtt2pg-user-XXXXXX")
trap 'rm -rf "$folder"' EXIT

mkdir "$folder/home"
tar --exclude=./.git --exclude=./build -c . | tar -C "$folder/home" -x
printf '%s\n' "127.0.0.1 localhost" "::1 localhost ip6-localhost ip6-loopback" "127.0.1.1 $(hostname)" >"$folder/hosts"
{ cat /etc/passwd && echo "$user:x:$uid:$uid::$folder/home:/bin/bash"; } >"$folder/passwd"
{ cat /etc/group && echo "$user:x:$uid:"; } >"$folder/group"
chmod 755 "$folder"
chown -R "$uid:$uid" "$folder/home"

# shellcheck disable=SC2016 # expanded inside
unshare --mount --propagation private bash -c '
    folder=$1 uid=$2
    shift 2
    for file in hosts passwd group; do mount --bind "$folder/$file" "/etc/$file"; done
    cd "$folder/home"
    exec setpriv --reuid "$uid" --regid "$uid" --clear-groups env -u CCACHE_DIR HOME="$folder/home" USER=tester "$@"
' as-user "$folder" "$uid" "$@"
