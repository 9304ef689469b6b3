#!/bin/bash
# Runs each fuzzer for a while: run-fuzzers.sh SECONDS PROGRAM…
#
# Starts from tests/fuzz/seeds/NAME/ and keeps what it finds interesting beside the program. An
# input that crashes stands beside it too, as NAME-crash-…; put it among the seeds with its fix.
#
# SPDX-License-Identifier: MIT
set -u

seconds=$1
shift
failed=0
export ASAN_OPTIONS="detect_leaks=1" UBSAN_OPTIONS="print_stacktrace=1"
for program in "$@"; do
    name=$(basename "$program")
    name=${name#fuzz_}
    corpus="$program.corpus"
    seeds="tests/fuzz/seeds/$name"
    mkdir -p "$corpus"
    [ -d "$seeds" ] || seeds=
    if "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=65536 \
        -artifact_prefix="$program-" "$corpus" $seeds >"$program.log" 2>&1; then
        echo "fuzz $name: $(sed -n 's/^Done \([0-9]*\) runs.*/\1 inputs/p' "$program.log"), sound"
    else
        tail -60 "$program.log"
        echo "FAIL fuzz $name"
        failed=$((failed + 1))
    fi
done
echo "$(($# - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
