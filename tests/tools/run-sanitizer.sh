#!/bin/bash
# Unit tests and the quick integration tests in one sanitizer's flavour:
# run-sanitizer.sh asan|tsan MAKE BUILD.
#
# SPDX-License-Identifier: MIT
set -u

flavour=$1
make=$2
build=$3
code=0

# Each program takes several times as long as without a sanitizer; the live ones of mqtt/ the most.
export UNIT_SECONDS=${UNIT_SECONDS:-400}
LIVE_TESTS=1 tests/tools/with-postgres.sh "$make" run-units FLAVOUR="$flavour" || code=1

if [ -e tests/integration/run.py ] && [ -e src/main.c ]; then
    "$make" -j"$(nproc)" program FLAVOUR="$flavour" || exit 1
    reports=$(mktemp -d)
    export MQTT2PG="$(realpath "$build")/$flavour/mqtt2pg" MQTT2PG_FAULTY="$(realpath "$build")/$flavour/mqtt2pg"
    export ASAN_OPTIONS="log_path=$reports/report" UBSAN_OPTIONS="print_stacktrace=1:log_path=$reports/report"
    export TSAN_OPTIONS="suppressions=$PWD/tests/tools/tsan.supp:log_path=$reports/report"
    python3 tests/integration/run.py --quick --jobs 3 || code=1
    # A test may overlook how the program ended; a report is a failure whatever the test said.
    for report in "$reports"/*; do
        [ -e "$report" ] || continue
        cat "$report"
        echo "FAIL: $flavour has something to report (above)"
        code=1
    done
    rm -rf "$reports"
fi
exit "$code"
