#!/bin/bash
# How many lines of each folder the unit tests have run: cover.sh BUILD/cover.
#
# SPDX-License-Identifier: MIT
set -eu

out=$1
if command -v gcovr >/dev/null; then
    gcovr --root . --filter 'src/' --object-directory "$out" --html-details "$out/coverage.html" \
        --txt --sort-percentage "$out" 2>/dev/null | sed -n '/^File/,$p'
    echo "page: $out/coverage.html"
fi
# "File 'src/base/buf.c'" and "Lines executed:97.14% of 35" follow each other in gcov's summary.
find "$out/src" -name '*.gcda' -exec gcov -n {} + 2>/dev/null | awk -F "['/:% ]" '
    /^File / { folder = $3 == "src" && NF > 5 ? $4 : "" }
    /^Lines executed/ && folder != "" {
        lines = $NF
        total[folder] += lines
        run[folder] += lines * $3 / 100
        folder = ""
    }
    END {
        for (folder in total) {
            printf "%-10s %5.1f %% of %5d lines\n", folder, 100 * run[folder] / total[folder], total[folder]
        }
    }' | sort
