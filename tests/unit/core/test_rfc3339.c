/* SPDX-License-Identifier: MIT */
#include "core/rfc3339.h"

#include <time.h>

#include "base/buf.h"
#include "base/text.h"
#include "unit.h"

static void test_cases(void)
{
    static const struct {
        const char *text;
        const char *utc; /* NULL: no time */
    } cases[] = {
        {"2026-11-23T03:29:30Z", "2026-11-23T03:29:30.000000Z"},
        {"2026-11-23t03:29:30z", "2026-11-23T03:29:30.000000Z"},
        {"2026-11-23 03:29:30Z", "2026-11-23T03:29:30.000000Z"},
        {"2026-11-23T03:29:30.1Z", "2026-11-23T03:29:30.100000Z"},
        {"2026-11-23T03:29:30.123456789Z", "2026-11-23T03:29:30.123456Z"},
        {"2026-11-23T03:29:30.9999999999999999999999999999Z", "2026-11-23T03:29:30.999999Z"},
        {"2026-11-23T03:29:30+01:00", "2026-11-23T02:29:30.000000Z"},
        {"2026-11-23T03:29:30-05:30", "2026-11-23T08:59:30.000000Z"},
        {"2026-12-31T23:59:60Z", "2027-01-01T00:00:00.000000Z"},
        {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"},
        {"1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500000Z"},
        {"2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000000Z"},
        {"2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z"},
        {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"},
        {"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"},
        {"", NULL},
        {"2026-11-23", NULL},
        {"2026-11-23T03:29:30", NULL},
        {"2026-11-23T03:29Z", NULL},
        {"2026-11-23T03:29:30.Z", NULL},
        {"2026-11-23T03:29:30Z ", NULL},
        {"2026-11-23T03:29:30ZZ", NULL},
        {"2026-11-23T03:29:30+0100", NULL},
        {"2026-11-23T03:29:30+01", NULL},
        {"2026-11-23T03:29:30+24:00", NULL},
        {"2026-11-23T24:00:00Z", NULL},
        {"2026-11-23T03:60:00Z", NULL},
        {"2026-11-23T03:29:61Z", NULL},
        {"2026-13-01T00:00:00Z", NULL},
        {"2026-00-01T00:00:00Z", NULL},
        {"2026-11-31T00:00:00Z", NULL},
        {"2026-11-00T00:00:00Z", NULL},
        {"2026-02-29T00:00:00Z", NULL},
        {"1900-02-29T00:00:00Z", NULL},
        {"26-11-23T03:29:30Z", NULL},
        {"-026-11-23T03:29:30Z", NULL},
        {"now", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t time_us = 0;
        struct buf seen = {0};
        UNIT_CASE("%s", cases[i].text);
        if (CHECK_INT_EQ(rfc3339_parse(slice_of(cases[i].text), &time_us), cases[i].utc != NULL) &&
            cases[i].utc != NULL) {
            text_format_time(&seen, time_us);
            CHECK_SLICE_EQ(buf_slice(&seen), cases[i].utc);
        }
        buf_fini(&seen);
    }
    CHECK(!rfc3339_parse((struct slice){0}, &(int64_t){0}));
    CHECK(!rfc3339_parse(slice_make("2026-11-23T03:29:30\0", 20), &(int64_t){0}));
}

/* Every day from year 0 to 9999, against the C library's calendar. */
static void test_every_day(void)
{
    const int64_t first_day = -719528; /* 0000-01-01 */
    const int64_t last_day = 2932896;  /* 9999-12-31 */
    int64_t wrong = 0;
    for (int64_t day = first_day; day <= last_day; day++) {
        time_t time = (time_t) (day * 86400);
        struct tm utc;
        char text[64];
        int64_t time_us = 0;
        gmtime_r(&time, &utc);
        strftime(text, sizeof(text), "-%m-%dT00:00:00Z", &utc);
        char whole[80];
        snprintf(whole, sizeof(whole), "%04d%s", utc.tm_year + 1900, text);
        wrong += !rfc3339_parse(slice_of(whole), &time_us) || time_us != day * 86400 * 1000000;
    }
    CHECK_INT_EQ(wrong, 0);
}

UNIT_MAIN("rfc3339", {"cases", test_cases}, {"every day", test_every_day})
