/* SPDX-License-Identifier: MIT */
#include "base/backoff.h"

#include "unit.h"

static void test_doubles_within_bounds(void)
{
    struct backoff backoff;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        backoff_init(&backoff, 100, 30000);
        backoff.random = seed;
        int64_t bound_ms = 100;
        for (int i = 0; i < 20; i++) {
            int64_t wait_ms = backoff_next(&backoff);
            CHECK(wait_ms >= bound_ms / 2 && wait_ms <= bound_ms);
            bound_ms = bound_ms * 2 < 30000 ? bound_ms * 2 : 30000;
        }
        backoff_reset(&backoff);
        CHECK(backoff_next(&backoff) <= 100);
    }
}

static void test_waits_differ(void)
{
    struct backoff backoff;
    backoff_init(&backoff, 1000000, 1000000);
    int same = 0;
    int64_t last_ms = -1;
    for (int i = 0; i < 100; i++) {
        int64_t wait_ms = backoff_next(&backoff);
        same += wait_ms == last_ms;
        last_ms = wait_ms;
    }
    CHECK(same < 5);
}

static void test_extremes(void)
{
    struct backoff backoff;
    backoff_init(&backoff, 1, 0); /* max below first: first it is */
    for (int i = 0; i < 10; i++) {
        int64_t wait_ms = backoff_next(&backoff);
        CHECK(wait_ms >= 0 && wait_ms <= 1);
    }
    backoff_init(&backoff, INT64_MAX / 2, INT64_MAX);
    for (int i = 0; i < 5; i++) {
        CHECK(backoff_next(&backoff) >= INT64_MAX / 4);
    }
}

UNIT_MAIN("backoff", {"doubles within bounds", test_doubles_within_bounds},
          {"waits differ", test_waits_differ}, {"extremes", test_extremes})
