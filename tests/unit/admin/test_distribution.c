/* SPDX-License-Identifier: MIT */
#include "admin/distribution.h"

#include <math.h>

#include "base/metrics.h"
#include "unit.h"

/* Of a histogram with the bounds 1, 2 and 4. */
static const struct distribution sample = {
    .buckets = 4, .bounds = {1, 2, 4, (double) INFINITY}, .counts = {0, 50, 50, 10}};

static bool near(double left, double right)
{
    return fabs(left - right) < 1e-9;
}

static void test_quantiles(void)
{
    static const struct {
        double quantile;
        double value;
    } cases[] = {{0.25, 1.55}, {50.0 / 110, 2}, {0.5, 2.2}, {100.0 / 110, 4}, {0.99, 4}};
    struct distribution empty = {0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%g", cases[i].quantile);
        CHECK(near(distribution_quantile(&sample, cases[i].quantile), cases[i].value));
    }
    CHECK(isnan(distribution_quantile(&empty, 0.5)));
}

static void test_since(void)
{
    struct distribution then = sample;
    struct distribution now = sample;
    struct distribution between;
    struct distribution empty = {0};

    between = distribution_since(&now, &then);
    CHECK_INT_EQ(distribution_total(&between), 0);
    CHECK(isnan(distribution_quantile(&between, 0.5)));
    now.counts[2] += 4;
    between = distribution_since(&now, &then);
    CHECK_INT_EQ(distribution_total(&between), 4);
    CHECK(near(distribution_quantile(&between, 0.5), 3));
    between = distribution_since(&now, &empty);
    CHECK_INT_EQ(distribution_total(&between), 114);
    between = distribution_since(&then, &now); /* set back: not below nothing */
    CHECK_INT_EQ(distribution_total(&between), 0);
}

static void test_of_metrics(void)
{
    struct distribution read;

    metrics_reset();
    metric_observe(HISTOGRAM_STORE_DELAY_SECONDS, 0.02, 90);
    metric_observe(HISTOGRAM_STORE_DELAY_SECONDS, 4000, 10);
    read = distribution_read(HISTOGRAM_STORE_DELAY_SECONDS);
    CHECK_INT_EQ(distribution_total(&read), 100);
    CHECK(isinf(read.bounds[read.buckets - 1]));
    CHECK_INT_EQ(read.counts[read.buckets - 1], 10);
    CHECK(distribution_quantile(&read, 0.5) > 0.01 && distribution_quantile(&read, 0.5) <= 0.025);
    CHECK(near(distribution_quantile(&read, 0.99), 3600));
    read = distribution_read(HISTOGRAM_COMMIT_SECONDS);
    CHECK_INT_EQ(distribution_total(&read), 0);
    metrics_reset();
}

UNIT_MAIN("distribution", {"quantiles", test_quantiles}, {"since", test_since},
          {"of metrics", test_of_metrics})
