/*
 * timing: what the benchmarks of single stages share: a clock, and the median of passes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BENCH_TIMING_H
#define MQTT2PG_BENCH_TIMING_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

/* Monotonic. */
static inline int64_t timing_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static inline int timing_compare(const void *left, const void *right)
{
    const double *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

/* Sorts `passes`, of which there is at least one. */
static inline double timing_median(double *passes, int count)
{
    qsort(passes, (size_t) count, sizeof(passes[0]), timing_compare);
    return passes[count / 2];
}

#endif
