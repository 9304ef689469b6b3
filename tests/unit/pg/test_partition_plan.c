/* Which partitions a table lacks, which are old, and what they are called.
 *
 * SPDX-License-Identifier: MIT */
#include "pg/partition_plan.h"

#include "unit.h"

/* 2026-11-29 00:00 UTC, a Sunday. */
#define SUNDAY_US (INT64_C(1795910400) * 1000000)
#define MINUTE_US (INT64_C(60) * 1000000)
#define DAY_LONG_US (1440 * MINUTE_US)

/* Minutes since SUNDAY_US. */
static struct span minutes(int64_t from, int64_t to)
{
    return (struct span){SUNDAY_US + from * MINUTE_US, SUNDAY_US + to * MINUTE_US};
}

static void check_span(struct span span, struct span wanted)
{
    CHECK_INT_EQ((span.from_us - SUNDAY_US) / MINUTE_US, (wanted.from_us - SUNDAY_US) / MINUTE_US);
    CHECK_INT_EQ((span.to_us - SUNDAY_US) / MINUTE_US, (wanted.to_us - SUNDAY_US) / MINUTE_US);
}

static void test_spans_begin_at_round_times(void)
{
    static const struct {
        int64_t every, at;
        int64_t from, to;
    } cases[] = {
        {1440, 0, 0, 1440},
        {1440, 1439, 0, 1440},
        {1440, -1, -1440, 0},
        {60, 61, 60, 120},
        {7 * 1440, 0, -8640, 1440}, /* Monday to Monday */
        {7 * 1440, 1440, 1440, 8 * 1440},
        {15, 44, 30, 45},
    };
    struct span span;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%d", (int) i);
        CHECK(partition_span(NULL, 0, cases[i].every * MINUTE_US,
                             SUNDAY_US + cases[i].at * MINUTE_US, &span));
        check_span(span, minutes(cases[i].from, cases[i].to));
    }
    CHECK(partition_span(NULL, 0, DAY_LONG_US, -1, &span)); /* before 1970 */
    CHECK_INT_EQ(span.from_us, -DAY_LONG_US);
    CHECK_INT_EQ(span.to_us, 0);
}

static void test_spans_are_cut_to_gaps(void)
{
    const struct span list[] = {minutes(200, 300), minutes(-500, -100), minutes(60, 90)};
    struct span span;

    CHECK(partition_span(list, 3, DAY_LONG_US, SUNDAY_US + 100 * MINUTE_US, &span));
    check_span(span, minutes(90, 200));
    CHECK(!partition_span(list, 3, DAY_LONG_US, SUNDAY_US + 60 * MINUTE_US, &span));
    CHECK(partition_span(list, 3, DAY_LONG_US, SUNDAY_US + 90 * MINUTE_US, &span));
    CHECK(partition_next_gap(list, 3, DAY_LONG_US, minutes(70, 1000), &span));
    check_span(span, minutes(90, 200));
    CHECK(partition_next_gap(list, 3, DAY_LONG_US, minutes(250, 1000), &span));
    check_span(span, minutes(300, 1440));
    CHECK(!partition_next_gap(list, 3, DAY_LONG_US, minutes(250, 300), &span));
    CHECK_INT_EQ(partition_ahead_us(DAY_LONG_US, SUNDAY_US + 5), SUNDAY_US + 4 * DAY_LONG_US);
}

/* Only what is wholly older goes, and nothing without `keep`. */
static void test_old(void)
{
    const struct span span = minutes(0, 60);
    const int64_t keep_us = 30 * MINUTE_US;

    CHECK(!partition_is_old(&span, SUNDAY_US + 89 * MINUTE_US, keep_us));
    CHECK(partition_is_old(&span, SUNDAY_US + 90 * MINUTE_US, keep_us));
    CHECK(!partition_is_old(&span, SUNDAY_US + 9000 * MINUTE_US, 0));
}

static void check_name(const char *table, int64_t from_us, const char *wanted)
{
    struct buf name = {0};

    partition_append_name(&name, table, from_us);
    CHECK_TEXT_EQ(buf_string(&name), wanted);
    CHECK(name.length <= 63);
    buf_fini(&name);
}

static void test_names(void)
{
    static const char long_name[] =
        "a_table_of_sixty_three_bytes_whose_end_tells_it_from_the_others1";
    struct buf time = {0};

    check_name("t", SUNDAY_US, "t_p20261129");
    check_name("t", SUNDAY_US + 61 * MINUTE_US, "t_p20261129_0101");
    check_name("t", SUNDAY_US + 61 * MINUTE_US + 1000000, "t_p20261129_010101");
    check_name("t", SUNDAY_US + 7, "t_p20261129_000000_000007");
    check_name("t", -1, "t_p19691231_235959_999999");
    check_name(long_name, SUNDAY_US,
               "a_table_of_sixty_three_bytes_whose_end_tells_e2d82674_p20261129");
    check_name("äöüäöüäöüäöüäöüäöüäöüäöüäöü", SUNDAY_US + 7,
               "äöüäöüäöüäöüäöü_2f62dbe8_p20261129_000000_000007");
    partition_append_time(&time, SUNDAY_US + 61 * MINUTE_US + 5);
    CHECK_TEXT_EQ(buf_string(&time), "2026-11-29 01:01:00.000005+00");
    buf_fini(&time);
}

UNIT_MAIN("partition_plan", {"spans_begin_at_round_times", test_spans_begin_at_round_times},
          {"spans_are_cut_to_gaps", test_spans_are_cut_to_gaps}, {"old", test_old},
          {"names", test_names})
