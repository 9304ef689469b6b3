#!/bin/bash
# Runs unit test programs: run-units.sh FOLDER PROGRAM…
#
# Each in a process of its own with a time limit, as many at once as there are processors; the
# output of one that fails is shown. The last line is `N passed, N failed`; the same numbers go
# into $COUNTS_FILE when that is set. A program that crashes or hangs counts as one failure, and so
# does FOLDER/not-built, which says that make could not build them all.
#
# EMULATOR=qemu-aarch64-static runs programs of another architecture.
#
# TRIES=2 runs a program whose checks failed once more, by itself, and says so: for a machine that
# has other things to do. What crashed, hung or has a sanitizer's report gets no second try.
#
# SPDX-License-Identifier: MIT
set -u

folder=$1
shift
limit_seconds=${UNIT_SECONDS:-400}
export TSAN_OPTIONS="suppressions=$PWD/tests/tools/tsan.supp history_size=4 ${TSAN_OPTIONS:-}"
export ASAN_OPTIONS="detect_leaks=1 strict_string_checks=1 ${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1 ${UBSAN_OPTIONS:-}"
export TZ=UTC

run_one() { # PROGRAM SECONDS
    [ -e "$1" ] || return
    timeout --kill-after=5 "$2" ${EMULATOR:-} "$1" >"$1.log" 2>&1 </dev/null
    local code=$?
    # The program's own last line is "SUITE: N passed, N failed"; without it, it did not get there.
    local counts
    counts=$(sed -nE '$s/.*: ([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$1.log")
    if [ "$code" -eq 124 ]; then
        echo "FAIL: no end after $2 s" >>"$1.log"
    elif [ "$code" -ge 128 ]; then
        echo "FAIL: killed by signal $((code - 128))" >>"$1.log"
    elif [ "$code" -ne 0 ]; then
        echo "FAIL: exit code $code" >>"$1.log"
    fi
    case "$code $counts" in
    "0 "*" 0") ;;
    *" 0" | *" ") counts="0 1" ;; # failed, yet no test says so: a crash, a sanitizer, a leak
    esac
    echo "$counts" >"$1.counts"
}
export -f run_one

# Its checks failed, and nothing worse.
may_try_again() { # PROGRAM
    [ "${TRIES:-1}" -gt 1 ] && grep -q '^FAIL .*: .*:[0-9]*: ' "$1.log" &&
        grep -q '^FAIL: exit code 1$' "$1.log" && ! grep -qE 'Sanitizer|runtime error:' "$1.log"
}

if [ $# -eq 0 ]; then
    echo "run-units: no test of that name" >&2
    exit 1
fi
printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} bash -c 'run_one "$1" "$2"' run_one {} "$limit_seconds"

passed=0
failed=0
if [ -e "$folder/not-built" ]; then
    rm "$folder/not-built"
    echo "FAIL: some of the programs could not be built"
    failed=1
fi
for program in "$@"; do
    [ -e "$program" ] || continue
    read -r good bad <"$program.counts"
    if [ "$bad" -gt 0 ] && may_try_again "$program"; then
        echo "--- $program, the first try"
        cat "$program.log"
        run_one "$program" "$limit_seconds"
        read -r good bad <"$program.counts"
        [ "$bad" -gt 0 ] || echo "passed at the second try: $program"
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
    if [ "$bad" -gt 0 ]; then
        echo "--- $program"
        cat "$program.log"
    fi
done
[ -z "${COUNTS_FILE:-}" ] || echo "$passed $failed" >"$COUNTS_FILE"
echo "unit tests: $# programs in $folder/unit"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
