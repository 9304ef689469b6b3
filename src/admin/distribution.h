/*
 * distribution: how one histogram of the metrics is spread, and its quantiles.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ADMIN_DISTRIBUTION_H
#define MQTT2PG_ADMIN_DISTRIBUTION_H

#include <stddef.h>
#include <stdint.h>

#include "base/metrics.h"

/* Zero-initialized memory is an empty distribution. */
struct distribution {
    size_t buckets;
    double bounds[HISTOGRAM_BUCKETS_MAX];   /* upper, inclusive; the last is infinity */
    uint64_t counts[HISTOGRAM_BUCKETS_MAX]; /* in this bucket alone */
};

/* What it has counted since the start of the process. */
struct distribution distribution_read(enum histogram histogram);

/* What came to `now` since `then`: both of one histogram. `then` may be empty. */
struct distribution distribution_since(const struct distribution *now,
                                       const struct distribution *then);

uint64_t distribution_total(const struct distribution *distribution);

/* The value that the fraction `quantile` does not exceed, linear within its bucket as in
 * Prometheus' histogram_quantile(); above the last finite bound it is that bound. NAN of an empty
 * one. */
double distribution_quantile(const struct distribution *distribution, double quantile);

#endif
