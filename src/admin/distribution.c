/* SPDX-License-Identifier: MIT */
#include "admin/distribution.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* NAME_bucket{le="0.005"} 17: strtod() reads "+Inf" as well. */
static bool read_bucket(const char *line, const char *start, double *bound, uint64_t *cumulative)
{
    char *end = NULL;

    if (strncmp(line, start, strlen(start)) != 0) {
        return false;
    }
    *bound = strtod(line + strlen(start), &end);
    if (strncmp(end, "\"} ", 3) != 0) {
        return false;
    }
    *cumulative = strtoull(end + 3, NULL, 10);
    return true;
}

bool distribution_read(struct distribution *distribution, const char *exposition, const char *name)
{
    char start[128];
    const char *line;
    uint64_t cumulative = 0;
    uint64_t before = 0;

    distribution->buckets = 0;
    snprintf(start, sizeof(start), "\n%s_bucket{le=\"", name);
    line = strstr(exposition, start);
    while (line != NULL && distribution->buckets < DISTRIBUTION_BUCKETS_MAX &&
           read_bucket(line, start, &distribution->bounds[distribution->buckets], &cumulative)) {
        distribution->counts[distribution->buckets++] = cumulative - before;
        before = cumulative;
        line = strchr(line + 1, '\n');
    }
    return distribution->buckets > 0;
}

struct distribution distribution_since(const struct distribution *now,
                                       const struct distribution *then)
{
    struct distribution since = *now;

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
    double wanted = quantile * (double) distribution_total(distribution);
    double below = 0;
    double floor = 0;

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
