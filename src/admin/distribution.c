/* SPDX-License-Identifier: MIT */
#include "admin/distribution.h"

#include <assert.h>
#include <math.h>

struct distribution distribution_read(enum histogram histogram)
{
    struct distribution distribution;

    distribution.buckets = metric_histogram(histogram, distribution.bounds, distribution.counts);
    assert(distribution.buckets > 0 && isinf(distribution.bounds[distribution.buckets - 1]));
    return distribution;
}

struct distribution distribution_since(const struct distribution *now,
                                       const struct distribution *then)
{
    struct distribution since = *now;

    assert(then->buckets == 0 || then->buckets == now->buckets); /* of the same histogram */

    for (size_t i = 0; i < since.buckets && i < then->buckets; i++) {
        since.counts[i] -= then->counts[i] < since.counts[i] ? then->counts[i] : since.counts[i];
    }
    return since;
}

uint64_t distribution_total(const struct distribution *distribution)
{
    uint64_t total = 0;

    for (size_t i = 0; i < distribution->buckets; i++) {
        total += distribution->counts[i];
    }
    return total;
}

double distribution_quantile(const struct distribution *distribution, double quantile)
{
    /* Walks up the buckets to the one in which the wanted observation lies, and takes the bucket's
     * observations as spread evenly over it. */
    double wanted = quantile * (double) distribution_total(distribution);
    double below = 0;
    double floor = 0;

    assert(quantile >= 0 && quantile <= 1);
    if (!(wanted > 0)) {
        return NAN;
    }
    for (size_t i = 0; i < distribution->buckets; i++) {
        double count = (double) distribution->counts[i];

        if (below + count >= wanted && count > 0) {
            if (isinf(distribution->bounds[i])) {
                return floor;
            }
            return floor + (distribution->bounds[i] - floor) * (wanted - below) / count;
        }
        below += count;
        if (!isinf(distribution->bounds[i])) {
            floor = distribution->bounds[i];
        }
    }
    return floor;
}
