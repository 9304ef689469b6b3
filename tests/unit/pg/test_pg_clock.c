/* SPDX-License-Identifier: MIT */
#include "pg/pg_clock.h"

#include "unit.h"

#define S INT64_C(1000000)
#define DAY INT64_C(86400) /* seconds */
#define DAYS (DAY * S)
#define NOW (INT64_C(1700000000) * S)

/* The server read its clock at some moment between sending and the answer. */
static void test_difference(void)
{
    static const struct {
        const char *name;
        int64_t took, server, ahead;
    } cases[] = {
        {"equal", 0, NOW, 0},
        {"within the round trip", 90 * S, NOW + 90 * S, 0},
        {"behind by what the round trip can't explain", 90 * S, NOW + 91 * S, -S},
        {"ahead: the round trip explains nothing", 90 * S, NOW - S, S},
        {"400 days ahead", S, NOW - 400 * DAYS, 400 * DAYS},
        {"in 1970, behind by years", S, NOW + 20000 * DAYS, S - 20000 * DAYS},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%s", cases[i].name);
        CHECK_INT_EQ(pg_clock_difference_us(NOW, cases[i].took, cases[i].server), cases[i].ahead);
    }
}

static void test_worth_telling(void)
{
    static const struct {
        const char *name;
        int64_t told, ahead, tell;
    } cases[] = {
        {"they agree", 0, 0, 0},
        {"a minute is not worth a word", 0, 60, 0},
        {"more than a minute ahead", 0, 61, 61},
        {"more than a minute behind", 0, -61, -61},
        {"at the edge, nothing changes", 61, 59, 61},
        {"it goes", 61, 29, 0},
        {"it goes, also from behind", -61, -29, 0},
        {"the clock was set", 400 * DAY, 0, 0},
        {"set, but not well", 400 * DAY, 45, 0},
        {"a small change is no news", 400 * DAY, 400 * DAY + 60, 400 * DAY},
        {"a large one is", 400 * DAY, 400 * DAY + 61, 400 * DAY + 61},
        {"from ahead to behind", 61, -61, -61},
        {"from ahead to the edge behind", 61, -45, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%s", cases[i].name);
        CHECK_INT_EQ(pg_clock_worth_telling(cases[i].told, cases[i].ahead), cases[i].tell);
    }
}

UNIT_MAIN("pg_clock", {"difference", test_difference}, {"worth telling", test_worth_telling})
