/*
 * distribution: the observations of one histogram of the metrics by bucket, and their quantiles.
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

/* The distribution of a histogram's observations since the start of the process. */
struct distribution distribution_read(enum histogram histogram);

/* The observations of `now` without those of `then`, an earlier distribution of the same histogram
 * or an empty one. */
struct distribution distribution_since(const struct distribution *now,
                                       const struct distribution *then);

uint64_t distribution_total(const struct distribution *distribution);

/* The value that the fraction `quantile` (0 to 1) of the observations does not exceed, linear
 * within its bucket as in Prometheus' histogram_quantile(); never more than the last finite bound.
 * NAN of an empty distribution. */
double distribution_quantile(const struct distribution *distribution, double quantile);

#endif
