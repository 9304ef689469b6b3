/* SPDX-License-Identifier: MIT */
#include "load/blame.h"
#include "unit.h"

static void test_kinds(void)
{
    static const struct {
        const char *sqlstate;
        enum blame_kind kind;
    } cases[] = {
        {"23514", BLAME_ROW},   {"22P02", BLAME_ROW},   {"P0001", BLAME_ROW},
        {"U0001", BLAME_ROW},   {"XX000", BLAME_ROW},   {"42501", BLAME_RULE},
        {"42P01", BLAME_RULE},  {"0A000", BLAME_RULE},  {"25006", BLAME_RULE},
        {"57P01", BLAME_RULE},  {"08006", BLAME_RULE},  {"08007", BLAME_RULE},
        {"40001", BLAME_TWICE}, {"57014", BLAME_TWICE}, {"53200", BLAME_TWICE},
        {"53400", BLAME_TWICE}, {"55P03", BLAME_TIME},  {"53100", BLAME_TIME},
        {"58030", BLAME_TIME},  {"XX002", BLAME_TIME},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pg_failure failure = {.action = sql_action_of(cases[i].sqlstate, false)};

        UNIT_CASE("%s", cases[i].sqlstate);
        snprintf(failure.sqlstate, sizeof(failure.sqlstate), "%s", cases[i].sqlstate);
        CHECK_INT_EQ(blame_kind_of(&failure), cases[i].kind);
    }
}

static void test_fates(void)
{
    /* Messages that passed, and that were refused as ROW, RULE, TWICE, TIME. */
    static const struct {
        const char *what;
        struct blame_tally tally;
        enum blame_fate fate, fate_of_letters;
    } cases[] = {
        {"none refused", {5, {0, 0, 0, 0}, 0}, BLAME_NOTHING, BLAME_NOTHING},
        {"bad data", {5, {1, 0, 0, 0}, 0}, BLAME_REJECT, BLAME_REJECT},
        {"all are bad data", {0, {5, 0, 0, 0}, 0}, BLAME_REJECT, BLAME_REJECT},
        {"a policy refuses some", {5, {0, 2, 0, 0}, 0}, BLAME_REJECT, BLAME_REJECT},
        {"denied", {0, {0, 5, 0, 0}, 0}, BLAME_PARK, BLAME_PARK},
        {"denied, alone", {0, {0, 1, 0, 0}, 0}, BLAME_REJECT, BLAME_REJECT},
        {"denied, alone, as one before", {0, {0, 1, 0, 0}, 1}, BLAME_REJECT, BLAME_REJECT},
        {"denied, alone, as two before", {0, {0, 1, 0, 0}, 2}, BLAME_PARK, BLAME_PARK},
        {"bad data, as others before", {0, {1, 0, 0, 0}, 9}, BLAME_REJECT, BLAME_REJECT},
        {"denied two, as two before", {0, {0, 2, 0, 0}, 2}, BLAME_PARK, BLAME_PARK},
        {"times out alone", {0, {0, 0, 1, 0}, 0}, BLAME_HOLD, BLAME_HOLD},
        {"denied, and bad data", {0, {1, 5, 0, 0}, 0}, BLAME_PARK, BLAME_PARK},
        {"one times out", {5, {0, 0, 1, 0}, 0}, BLAME_HOLD, BLAME_REJECT},
        {"a key is locked", {5, {0, 0, 0, 1}, 0}, BLAME_HOLD, BLAME_REJECT},
        {"all time out", {0, {0, 0, 5, 0}, 0}, BLAME_HOLD, BLAME_HOLD},
        {"no room", {0, {0, 0, 0, 5}, 0}, BLAME_HOLD, BLAME_HOLD},
        {"no room, some denied", {0, {0, 2, 0, 5}, 0}, BLAME_HOLD, BLAME_HOLD},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%s", cases[i].what);
        CHECK_INT_EQ(blame_fate_of(&cases[i].tally, false), cases[i].fate);
        CHECK_INT_EQ(blame_fate_of(&cases[i].tally, true), cases[i].fate_of_letters);
    }
}

UNIT_MAIN("blame", {"kinds", test_kinds}, {"fates", test_fates})
