#!/bin/bash
# Installs a package into a fresh Debian 12 tree, tries it, removes and purges it: test-deb.sh DEB FOLDER. As root, with debootstrap
# and a Debian mirror to reach. The tree in FOLDER is made when it is not there, and stays for the next time.
#
# SPDX-License-Identifier: MIT
set -eu -o pipefail

deb=$(realpath "$1")
tree=$2
inside() { chroot "$tree" env LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
gone() { # PATH…
    local path
    for path in "$@"; do
        [ ! -e "$tree$path" ] || { echo "test-deb: $path is left" >&2; exit 1; }
    done
}

if command -v lintian >/dev/null; then
    # A name and address come from DEBFULLNAME and DEBEMAIL; nothing is enabled, so debhelper's helpers have nothing to do.
    lintian --allow-root --fail-on error,warning "$deb" --suppress-tags \
        bogus-mail-host,bogus-mail-host-in-debian-changelog,initial-upload-closes-no-bugs,maintainer-script-calls-systemctl
fi
if [ ! -x "$tree/usr/bin/apt-get" ]; then
    debootstrap --variant=minbase bookworm "$tree"
    # Debian's own way of saying that no service may be started here.
    printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
    chmod 755 "$tree/usr/sbin/policy-rc.d"
fi
cp "$deb" "$tree/tmp/mqtt2pg.deb"
inside apt-get install -y -q --no-install-recommends /tmp/mqtt2pg.deb
inside mqtt2pg --version
cp "$tree/etc/mqtt2pg/mqtt2pg.cfg.sample" "$tree/etc/mqtt2pg/mqtt2pg.cfg"
inside mqtt2pg check
inside mqtt2pg explain devices/d1/telemetry '{"ts":1700000000000,"temperature":21.5}'
[ ! -e "$tree/etc/systemd/system/multi-user.target.wants/mqtt2pg.service" ] || { echo "test-deb: enabled" >&2; exit 1; }
echo "# changed by the administrator" >>"$tree/etc/mqtt2pg/mqtt2pg.cfg"
# An upgrade to a package with another sample leaves the configuration alone, and asks nothing.
rm -rf "$tree/tmp/next"
dpkg-deb -R "$deb" "$tree/tmp/next"
echo "# one more setting" >>"$tree/tmp/next/etc/mqtt2pg/mqtt2pg.cfg.sample"
sed -i 's/^Version: .*/&+next/' "$tree/tmp/next/DEBIAN/control"
sed -i '/ etc\//d' "$tree/tmp/next/DEBIAN/md5sums"
dpkg-deb --root-owner-group -b "$tree/tmp/next" "$tree/tmp/next.deb" >/dev/null
inside dpkg -i /tmp/next.deb </dev/null
grep -q "one more setting" "$tree/etc/mqtt2pg/mqtt2pg.cfg.sample"
grep -q "changed by the administrator" "$tree/etc/mqtt2pg/mqtt2pg.cfg"
inside dpkg --verify mqtt2pg | grep . && { echo "test-deb: files differ" >&2; exit 1; }
mkdir -p "$tree/var/lib/mqtt2pg"
touch "$tree/var/lib/mqtt2pg/a-segment"
inside dpkg --remove mqtt2pg
gone /usr/bin/mqtt2pg /lib/systemd/system/mqtt2pg.service
grep -q "changed by the administrator" "$tree/etc/mqtt2pg/mqtt2pg.cfg"
inside dpkg --purge mqtt2pg
gone /etc/mqtt2pg /usr/share/mqtt2pg /usr/share/doc/mqtt2pg
[ -e "$tree/var/lib/mqtt2pg/a-segment" ] || { echo "test-deb: the journal is gone" >&2; exit 1; }
rm -r "$tree/var/lib/mqtt2pg" "$tree"/tmp/{mqtt2pg.deb,next.deb,next}
echo "test-deb: installed, tried, upgraded, removed, purged"
