#!/bin/bash
# The rules that tools can hold: lint.sh BUILD. One line a check, saying what holds; a breach is
# printed with file and line, and the exit code is 1.
#
# clang-tidy and the stand-alone headers leave a stamp behind each file that is in order, so that the next run looks
# only at what has changed since.
#
# SPDX-License-Identifier: MIT
set -u

build=$1
stamps="$build/lint"
jobs=$(nproc)
broken=0
mkdir -p "$stamps"

# shellcheck disable=SC2046 # no file of ours has a space in its name
sources=$(find src -name '*.c' | sort)
headers=$(find src -name '*.h' | sort)
tests=$(find tests/unit tests/fuzz tests/bench tests/shim -name '*.[ch]' 2>/dev/null | sort)
flags="-std=c11 -D_GNU_SOURCE -DMQTT2PG_VERSION=\"lint\" -Isrc -I$build/generated $(pkg-config --cflags libpq)"
export flags stamps

need() { # TOOL
    command -v "$1" >/dev/null && return
    echo "FAIL $1 is missing: make deps-dev" >&2
    return 1
}

check() { # WHAT-HOLDS FUNCTION
    local output
    if output=$("$2" 2>&1); then
        printf 'ok    %s%s\n' "$1" "${output:+ ($output)}"
    else
        printf 'FAIL  %s: does not hold\n%s\n' "$1" "$output"
        broken=1
    fi
}

# Prints the lines that it is given, and fails when there are any.
none() {
    local lines
    lines=$(cat)
    [ -z "$lines" ] || { echo "$lines"; return 1; }
}

check_format() {
    need clang-format || return 1
    local file files
    files=$(for file in $sources $headers $tests; do
        clang-format --dry-run -Werror "$file" 2>/dev/null || echo "$file"
    done)
    [ -z "$files" ] || { echo "$files"; echo "make format puts them right"; return 1; }
}

check_layers() {
    awk -f tests/tools/layers.awk src/LAYERS $sources $headers
}

# A file is looked at again when it, a header of ours or the rules are newer than its stamp.
newest_header() {
    ls -t $headers $(find src -name '*.def') .clang-tidy src/LAYERS tests/tools/lint.sh Makefile | head -1
}

outdated() { # KIND FILE…
    local kind=$1 newest file
    shift
    newest=$(newest_header)
    for file in "$@"; do
        local stamp="$stamps/$kind/$file"
        if [ ! "$stamp" -nt "$file" ] || [ "$newest" -nt "$stamp" ]; then
            echo "$file"
        fi
    done
}

header_alone() { # HEADER
    # Twice, so that the guard is tried too.
    printf '#include "%s"\n#include "%s"\n' "${1#src/}" "${1#src/}" |
        gcc $flags -Wall -Wextra -Werror -fsyntax-only -x c - || return 1
    mkdir -p "$(dirname "$stamps/alone/$1")"
    touch "$stamps/alone/$1"
}
export -f header_alone

check_headers() {
    outdated alone $headers | xargs -r -P "$jobs" -I{} bash -c 'header_alone {}'
}

check_sizes() {
    awk -f tests/tools/sizes.awk $sources $headers
}

check_figures() {
    tests/tools/figures.py "$build"
}

check_banned() {
    grep -nE '\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|gets|setlocale)\(' \
        $sources $headers | none
}

check_leftovers() {
    grep -nE '\b(TODO|FIXME|XXX)\b' $sources $headers $tests Makefile tests/tools/* sql/*.sql 2>/dev/null |
        grep -vE '^tests/tools/lint.sh:|mktemp|-XXXXXX' | none
}

# The tables of src/README.md are what the headers say; its prose names no module that is gone.
check_map() {
    tests/tools/map.py || return 1
    local there named
    there=$(printf '%s\n' $sources $headers | sed -E 's|^src/||; s|\.[ch]$||' | sort -u)
    named=$(grep -oE '`[a-z]+/[a-z0-9_]+(\.[a-z]+)?`' src/README.md | tr -d '`' | sed -E 's|\.[ch]$||' | sort -u)
    comm -13 <(echo "$there") <(echo "$named") | while read -r name; do
        [ -e "src/$name" ] || [ ! -d "src/${name%%/*}" ] ||
            echo "src/README.md names \`$name\`, which is not there"
    done | none
}

# Generated pages, and documents that quote the program.
check_documents() {
    tests/tools/metrics-page.py && tests/tools/links.py
}

check_mutants() {
    python3 tests/mutants/run.py --check
}

# Paho C 1.3.12 exports names such as Thread_start: a function of ours with such a name would be
# called by the library in place of its own.
check_symbols() {
    local library
    library=$(ldconfig -p 2>/dev/null | awk '/libpaho-mqtt3as\.so/ { print $NF; exit }')
    [ -n "$library" ] || { echo "libpaho-mqtt3as is missing: make deps"; return 1; }
    exports() { nm -D --defined-only "$1" | awk '{ sub(/@.*/, "", $3); print $3 }' | sort -u; }
    # Our objects rather than the program: what is not exported today may be tomorrow.
    local objects
    objects=$(find "$build/release/src" -name '*.o')
    comm -12 <(exports "$library") \
        <(nm --defined-only --extern-only $objects | awk 'NF == 3 { print $3 }' | sort -u) | none || return 1
    [ ! -e "$build/mqtt2pg" ] || comm -12 <(exports "$library") <(exports "$build/mqtt2pg") | none
}

call_graph() { # SOURCE
    mkdir -p "$stamps/calls"
    CCACHE_DISABLE=1 gcc $flags -O0 -fcallgraph-info -c "$1" -o "$stamps/calls/$(basename "$1" .c).o"
}
export -f call_graph

check_callbacks() {
    grep -nE '[.](on(Success|Failure)5?|ssl_error_cb|arrived|connected|lost|cut) = [a-z_0-9]+[;,}]' src/mqtt/*.c | grep -v '= on_' | none || return 1
    rm -rf "$stamps/calls"
    printf '%s\n' src/mqtt/*.c | xargs -P "$jobs" -I{} bash -c 'call_graph {}' && awk -f tests/tools/callbacks.awk "$stamps"/calls/*.ci
}

check_cppcheck() {
    need cppcheck || return 1
    mkdir -p "$stamps/cppcheck"
    cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -j "$jobs" \
        --enable=warning,performance,portability --cppcheck-build-dir="$stamps/cppcheck" \
        --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
        --suppress=unknownMacro --template='{file}:{line}: {id}: {message}' \
        -D_GNU_SOURCE -DMQTT2PG_VERSION='"lint"' -Isrc src
}

tidy_one() { # SOURCE
    # Only what stands before the dashes is ours to read; the count of warnings elsewhere is not.
    local output
    output=$(clang-tidy --quiet "$1" -- $flags 2>/dev/null)
    if [ $? -ne 0 ] || [ -n "$output" ]; then
        echo "$output"
        return 1
    fi
    mkdir -p "$(dirname "$stamps/tidy/$1")"
    touch "$stamps/tidy/$1"
}
export -f tidy_one

check_tidy() {
    need clang-tidy || return 1
    outdated tidy $sources | xargs -r -P "$jobs" -I{} bash -c 'tidy_one {}'
}

check "formatted as .clang-format says" check_format
check "includes follow src/LAYERS, without cycles" check_layers
check "each header compiles alone" check_headers
check "functions have at most 60 lines, files 500" check_sizes
check "the figures of the house keep their limits" check_figures
check "no unbounded or locale-dependent library functions" check_banned
check "nothing left to do in comments" check_leftovers
check "src/README.md maps every module" check_map
check "documents: links lead somewhere, log lines are the program's" check_documents
check "each mutant of tests/mutants applies" check_mutants
check "no symbol of ours hides one of Paho" check_symbols
check "callbacks of Paho call nothing that takes its lock" check_callbacks
check "cppcheck finds nothing" check_cppcheck
check "clang-tidy finds nothing" check_tidy
exit "$broken"
