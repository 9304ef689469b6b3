#!/bin/sh
# Makes a byte array of the status page: embed-page.sh FOLDER FILE.html writes FOLDER/status_page.c, with the hashes of
# the page's one <script> and one <style>, each of whose tags stands alone on its line.
#
# SPDX-License-Identifier: MIT
set -eu

folder=$1
page=$2

hash_of() { # TAG: of the bytes between its two tags, as a browser takes them
    hex=$({ echo; sed -n "/^<$1>\$/,/^<\\/$1>\$/p" "$page" | sed '1d;$d'; } | sha256sum)
    printf '%s' "${hex%% *}" | tr a-f A-F | basenc --base16 -d | base64
}

for tag in script style; do
    [ "$(grep -c "^<$tag>\$" "$page")" = 1 ] && [ "$(grep -c "<$tag" "$page")" = 1 ] || {
        echo "$page: exactly one <$tag>, alone on its line, is wanted" >&2
        exit 1
    }
done
{
    echo "/* Made of $page by tests/tools/embed-page.sh. */"
    echo '#include "admin/status_page.h"'
    echo "const char status_page_script_hash[] = \"sha256-$(hash_of script)\";"
    echo "const char status_page_style_hash[] = \"sha256-$(hash_of style)\";"
    echo 'const unsigned char status_page[] = {'
    od -An -v -tx1 "$page" | sed 's/ \(..\)/0x\1,/g'
    echo '};'
    echo 'const size_t status_page_size = sizeof(status_page);'
} >"$folder/status_page.c.new"
mv "$folder/status_page.c.new" "$folder/status_page.c"
