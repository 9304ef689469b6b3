/* SPDX-License-Identifier: MIT */
#include "admin/distribution.h"

#include <math.h>

#include "base/metrics.h"
#include "unit.h"

#define TEXT \
    "# TYPE other histogram\n" \
    "other_bucket{le=\"1\"} 7\n" \
    "# TYPE delay histogram\n" \
    "delay_bucket{le=\"1\"} 0\n" \
    "delay_bucket{le=\"2\"} 50\n" \
    "delay_bucket{le=\"4\"} 100\n" \
    "delay_bucket{le=\"+Inf\"} 110\n" \
    "delay_sum 300\n" \
    "delay_count 110\n"

static bool near(double left, double right)
{
    return fabs(left - right) < 1e-9;
}

static void test_read(void)
{
    struct distribution read;

    CHECK(distribution_read(&read, TEXT, "delay"));
    CHECK_INT_EQ(read.buckets, 4);
    CHECK(near(read.bounds[2], 4) && isinf(read.bounds[3]));
    CHECK_INT_EQ(read.counts[0], 0);
    CHECK_INT_EQ(read.counts[1], 50);
    CHECK_INT_EQ(read.counts[3], 10);
    CHECK_INT_EQ(distribution_total(&read), 110);
    CHECK(!distribution_read(&read, TEXT, "lay"));
    CHECK_INT_EQ(read.buckets, 0);
    CHECK(!distribution_read(&read, "", "delay"));
}

static void test_quantiles(void)
{
    static const struct {
        double quantile;
        double value;
    } cases[] = {{0.25, 1.55}, {50.0 / 110, 2}, {0.5, 2.2}, {100.0 / 110, 4}, {0.99, 4}};
    struct distribution read;
    struct distribution empty = {0};

    distribution_read(&read, TEXT, "delay");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%g", cases[i].quantile);
        CHECK(near(distribution_quantile(&read, cases[i].quantile), cases[i].value));
    }
    CHECK(isnan(distribution_quantile(&empty, 0.5)));
}

static void test_since(void)
{
    struct distribution then;
    struct distribution now;
    struct distribution between;
    struct distribution empty = {0};

    distribution_read(&then, TEXT, "delay");
    now = then;
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

/* What metrics.c writes is what is read here. */
static void test_of_metrics(void)
{
    struct buf exposition = {0};
    struct distribution read;

    metrics_reset();
    metric_observe(HISTOGRAM_STORE_DELAY_SECONDS, 0.02, 90);
    metric_observe(HISTOGRAM_STORE_DELAY_SECONDS, 4000, 10);
    metrics_write_prometheus(&exposition);
    CHECK(distribution_read(&read, buf_string(&exposition), "mqtt2pg_store_delay_seconds"));
    CHECK_INT_EQ(distribution_total(&read), 100);
    CHECK(distribution_quantile(&read, 0.5) > 0.01 && distribution_quantile(&read, 0.5) <= 0.025);
    CHECK(near(distribution_quantile(&read, 0.99), 3600));
    CHECK(distribution_read(&read, buf_string(&exposition), "mqtt2pg_commit_seconds"));
    CHECK_INT_EQ(distribution_total(&read), 0);
    buf_fini(&exposition);
    metrics_reset();
}

UNIT_MAIN("distribution", {"read", test_read}, {"quantiles", test_quantiles}, {"since", test_since},
          {"of metrics", test_of_metrics})
