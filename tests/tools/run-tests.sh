#!/bin/bash
# All tests, and one last line for all of them: run-tests.sh MAKE BUILD.
#
# Each runner writes "passed failed" to $COUNTS_FILE; one that does not get that far is a failure.
#
# SPDX-License-Identifier: MIT
set -u

make=$1
build=$2
passed=0
failed=0

run() { # COMMAND…
    local good=0 bad=1
    COUNTS_FILE=$(mktemp)
    export COUNTS_FILE
    "$@"
    local code=$?
    read -r good bad <"$COUNTS_FILE" || { good=0 bad=1; }
    if [ "$code" -ne 0 ] && [ "$bad" -eq 0 ]; then
        echo "FAIL: exit code $code of: $*"
        bad=1
    fi
    rm -f "$COUNTS_FILE"
    passed=$((passed + good))
    failed=$((failed + bad))
}

if ! tests/tools/deps.sh build test || ! "$make" all ||
    ! "$make" -j"$(nproc)" program FLAVOUR=test; then
    echo "could not build"
    echo "0 passed, 1 failed"
    exit 1
fi

# Units that need a server start their own Mosquitto, and share one PostgreSQL.
LIVE_TESTS=1 run tests/tools/with-postgres.sh "$make" run-units FLAVOUR=test
if [ -e tests/integration/run.py ]; then
    # The release program for users, the one with fault points for crashes at named points.
    export MQTT2PG="$(realpath "$build")/mqtt2pg" MQTT2PG_FAULTY="$(realpath "$build")/test/mqtt2pg"
    run python3 tests/integration/run.py --jobs 3
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
