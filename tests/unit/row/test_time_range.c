/* SPDX-License-Identifier: MIT */
#include "row/time_range.h"

#include "core/calendar.h"
#include "unit.h"

#define RECEIVED_US (EPOCH_2000_US + 10 * DAY_US) /* 2000-01-11 */

static void test_bounds(void)
{
    static const struct {
        const char *text;
        int kind; /* -1: it is none */
        int64_t us;
    } cases[] = {
        {"", BOUND_OPEN, 0},
        {"1d", BOUND_RELATIVE, DAY_US},
        {"0", BOUND_RELATIVE, 0},
        {"2000-01-01", BOUND_ABSOLUTE, EPOCH_2000_US},
        {"2000-01-02T01:00:00+01:00", BOUND_ABSOLUTE, EPOCH_2000_US + DAY_US},
        {"soon", -1, 0},
        {"infinity", -1, 0},
        {"-1d", -1, 0},
        {"2000", -1, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct time_bound bound;

        UNIT_CASE("%s", cases[i].text);
        CHECK_INT_EQ(time_bound_parse(cases[i].text, &bound), cases[i].kind >= 0);
        if (cases[i].kind >= 0) {
            CHECK_INT_EQ(bound.kind, cases[i].kind);
            CHECK_INT_EQ(bound.us, cases[i].us);
        }
    }
}

static const struct {
    const char *earliest, *latest;
    enum type_family family;
    int64_t integer;    /* of the datum; of NONE microseconds since 2000 */
    const char *reason; /* NULL: it is believed */
} ranges[] = {
    {"2000-01-01", "1d", TYPE_TIMESTAMPTZ, 0, NULL},
    {"2000-01-01", "1d", TYPE_TIMESTAMPTZ, -1,
     "\"1999-12-31 23:59:59.999999+00\" is before 2000-01-01"},
    {"2000-01-01", "1d", TYPE_TIMESTAMP, -1, "\"1999-12-31 23:59:59.999999\" is before 2000-01-01"},
    {"2000-01-01", "1d", TYPE_TIMESTAMPTZ, 11 * DAY_US, NULL},
    {"2000-01-01", "1d", TYPE_TIMESTAMPTZ, 11 * DAY_US + 1,
     "\"2000-01-12 00:00:00.000001+00\" is more than 1d after the time of receipt"},
    {"1d", "", TYPE_TIMESTAMPTZ, 9 * DAY_US, NULL},
    {"1d", "", TYPE_TIMESTAMPTZ, 9 * DAY_US - 1,
     "\"2000-01-09 23:59:59.999999+00\" is more than 1d before the time of receipt"},
    {"", "2000-01-02", TYPE_TIMESTAMPTZ, DAY_US, NULL},
    {"", "2000-01-02", TYPE_TIMESTAMPTZ, INT64_MAX, "\"infinity\" is after 2000-01-02"},
    {"", "2000-01-02", TYPE_TIMESTAMPTZ, INT64_MIN, NULL},
    {"1d", "", TYPE_TIMESTAMPTZ, INT64_MIN,
     "\"-infinity\" is more than 1d before the time of receipt"},
    {"1d", "1d", TYPE_DATE, 9, NULL},
    {"1d", "1d", TYPE_DATE, 12, "\"2000-01-13\" is more than 1d after the time of receipt"},
    {"1d", "1d", TYPE_DATE, INT32_MAX, "\"infinity\" is more than 1d after the time of receipt"},
    {"1d", "1d", TYPE_DATE, 2145031948,
     "\"5874897-12-31\" is more than 1d after the time of receipt"},
    {"1d", "1d", TYPE_NONE, 12 * DAY_US,
     "\"2000-01-13 00:00:00+00\" is more than 1d after the time of receipt"},
    {"1d", "1d", TYPE_INT8, 0, NULL},
    {"1d", "1d", TYPE_TIME, 0, NULL},
};

static void test_ranges(void)
{
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        const struct column_shape column = {
            .name = "at", .type_name = "its type", .family = ranges[i].family};
        struct datum datum = {.family = ranges[i].family, .integer = ranges[i].integer};
        struct time_range range;
        struct error error = {0};
        struct buf wanted = {0};

        UNIT_CASE("%zu", i);
        if (ranges[i].family == TYPE_NONE) {
            datum.value = value_time(ranges[i].integer + EPOCH_2000_US);
        }
        CHECK(time_bound_parse(ranges[i].earliest, &range.earliest));
        CHECK(time_bound_parse(ranges[i].latest, &range.latest));
        enum outcome outcome = time_range_check(&range, &datum, &column, RECEIVED_US, &error);
        CHECK_INT_EQ(outcome, ranges[i].reason == NULL ? OUTCOME_OK : OUTCOME_REJECT);
        if (ranges[i].reason != NULL) {
            buf_printf(&wanted, "column \"at\"%s: %s, outside of time_range",
                       ranges[i].family == TYPE_NONE ? "" : " (its type)", ranges[i].reason);
            CHECK_TEXT_EQ(error.text, buf_string(&wanted));
        }
        datum.null = true;
        CHECK_INT_EQ(time_range_check(&range, &datum, &column, RECEIVED_US, &error), OUTCOME_OK);
        buf_fini(&wanted);
    }
}

UNIT_MAIN("time_range", {"bounds", test_bounds}, {"ranges", test_ranges})
