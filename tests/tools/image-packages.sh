#!/bin/bash
# Lists the Debian packages whose files are below a folder, in its /var/lib/dpkg/status.d, so that scanners know what an image
# without dpkg holds; and as an SBOM (SPDX 2.3) in /usr/share/doc/mqtt2pg/sbom.spdx.json: image-packages.sh FOLDER
#
# SPDX-License-Identifier: MIT
set -eu -o pipefail

root=$1
status="$root/var/lib/dpkg/status.d"
sbom="$root/usr/share/doc/mqtt2pg/sbom.spdx.json"
mkdir -p "$status" "$(dirname "$sbom")"

# /lib is a link to /usr/lib, and packages name the one or the other.
packages=$(find "$root" -type f -printf '/%P\n' | while IFS= read -r file; do
    dpkg-query -S "$file" 2>/dev/null || dpkg-query -S "/usr$file" 2>/dev/null || dpkg-query -S "${file#/usr}" 2>/dev/null || true
done | sed 's/[:,].*//' | sort -u)
# What the image takes whole or makes of a package's files: authorities, time zones, the locale C.UTF-8.
packages=$(printf '%s\n' "$packages" ca-certificates libc-bin tzdata | grep . | sort -u)

separator=""
{
    printf '{"spdxVersion":"SPDX-2.3","dataLicense":"CC0-1.0","SPDXID":"SPDXRef-DOCUMENT","name":"mqtt2pg",'
    printf '"documentNamespace":"https://spdx.org/spdxdocs/mqtt2pg-%s",' "$(printf '%s' "$packages" | sha256sum | cut -c1-32)"
    printf '"creationInfo":{"created":"%s","creators":["Tool: image-packages.sh"]},"packages":[' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    for package in $packages; do
        dpkg-query -s "$package" >"$status/$package"
        dpkg-query -W -f "$separator"'{"SPDXID":"SPDXRef-${Package}","name":"${Package}","versionInfo":"${Version}","downloadLocation":"NOASSERTION","externalRefs":[{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"pkg:deb/debian/${Package}@${Version}?arch=${Architecture}"}]}' "$package" | sed 's/+/%2B/g2'
        separator=","
    done
    printf ']}\n'
} >"$sbom"
