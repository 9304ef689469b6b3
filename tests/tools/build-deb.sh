#!/bin/bash
# Makes BUILD/mqtt2pg_VERSION-1_ARCH.deb of what `make install` places: build-deb.sh MAKE BUILD VERSION.
# No root: dpkg-deb writes the owners. DEBFULLNAME and DEBEMAIL name the maintainer, SOURCE_DATE_EPOCH the date.
#
# SPDX-License-Identifier: MIT
set -eu -o pipefail
umask 022

make=$1 build=$2 version=$3
maintainer="${DEBFULLNAME:-mqtt2pg developers} <${DEBEMAIL:-mqtt2pg@localhost.localdomain}>"
architecture=$(dpkg --print-architecture)
work="$build/deb"
root="$work/root"
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(stat -c %Y CHANGELOG.md)}"

rm -rf "$work"
mkdir -p "$root/DEBIAN" "$work/debian"
# Where Debian 12 looks for units.
"$make" -s -o all install BUILD="$build" DESTDIR="$root" PREFIX=/usr UNITDIR=/lib/systemd/system >/dev/null
strip --strip-unneeded "$root/usr/bin/mqtt2pg"
gzip -9n "$root"/usr/share/man/man?/*

documents="$root/usr/share/doc/mqtt2pg"
gzip -9nc CHANGELOG.md >"$documents/changelog.gz"
{
    printf 'mqtt2pg (%s-1) unstable; urgency=medium\n\n  * See changelog.gz.\n\n' "$version"
    printf ' -- %s  %s\n' "$maintainer" "$(date -R -u -d "@$SOURCE_DATE_EPOCH")"
} | gzip -9nc >"$documents/changelog.Debian.gz"
{
    printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: mqtt2pg\n\n'
    printf 'Files: *\nCopyright: %s\nLicense: Expat\n' "$(sed -n 's/^Copyright (c) //p' LICENSE)"
    sed -n '/^Permission/,$p' LICENSE | sed 's/^$/./; s/^/ /'
} >"$documents/copyright"

# The sample changes with each release, and everybody changes the configuration: dpkg would ask at each upgrade, and an
# unattended one would fail. So mqtt2pg.cfg itself belongs to the administrator.
echo /etc/mqtt2pg/mqtt2pg.cfg.sample >"$root/DEBIAN/conffiles"
install -m 755 config/debian/postinst config/debian/prerm config/debian/postrm "$root/DEBIAN"
(cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"

# dpkg-shlibdeps wants a source package around it.
printf 'Source: mqtt2pg\n\nPackage: mqtt2pg\nArchitecture: any\n' >"$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O root/usr/bin/mqtt2pg 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ] || { echo "build-deb: dpkg-shlibdeps found no libraries" >&2; exit 1; }
sed -e "s|@VERSION@|$version|; s|@ARCHITECTURE@|$architecture|; s|@MAINTAINER@|$maintainer|; s|@DEPENDS@|$depends|" \
    -e "s|@SIZE@|$(du -ks --exclude=DEBIAN "$root" | cut -f1)|" config/debian/control.in >"$root/DEBIAN/control"

package="$build/mqtt2pg_$version-1_$architecture.deb"
dpkg-deb --root-owner-group -Zxz --build "$root" "$package" >/dev/null
echo "$package"
