/*
 * distribution: how one histogram of the metrics is spread, and its quantiles.
 *
 * Read from the text of metrics_write_prometheus(), which is what any dashboard sees too, so both
 * say the same.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ADMIN_DISTRIBUTION_H
#define MQTT2PG_ADMIN_DISTRIBUTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISTRIBUTION_BUCKETS_MAX 24

/* Zero-initialized memory is an empty distribution. */
struct distribution {
    size_t buckets;
    double bounds[DISTRIBUTION_BUCKETS_MAX];   /* upper, inclusive; the last is infinity */
    uint64_t counts[DISTRIBUTION_BUCKETS_MAX]; /* in this bucket alone */
};

/* Finds the histogram `name` ("mqtt2pg_commit_seconds") in `exposition`; false, and an empty
 * distribution, when it is not there. */
bool distribution_read(struct distribution *distribution, const char *exposition, const char *name);

/* What came to `now` since `then`: both of one histogram. `then` may be empty. */
struct distribution distribution_since(const struct distribution *now,
                                       const struct distribution *then);

uint64_t distribution_total(const struct distribution *distribution);

/* The value that the fraction `quantile` does not exceed, linear within its bucket as in
 * Prometheus' histogram_quantile(); above the last finite bound it is that bound. NAN of an empty
 * one. */
double distribution_quantile(const struct distribution *distribution, double quantile);

#endif
