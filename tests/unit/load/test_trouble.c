/* SPDX-License-Identifier: MIT */
#include "load/trouble.h"
#include "unit.h"

static void test_remedies(void)
{
    static const struct {
        const char *what;
        enum store_result result;
        enum sql_action action;
        struct trouble_history history;
        struct remedy remedy;
    } cases[] = {
        {"stored", STORE_DONE, SQL_ROW, {.messages = 9}, {REMEDY_NONE, 0, false, false, false}},
        {"something was learned",
         STORE_AGAIN,
         SQL_ROW,
         {.messages = 9},
         {REMEDY_AGAIN, 9, false, false, false}},
        {"something was learned of gaps alone",
         STORE_AGAIN,
         SQL_ROW,
         {.messages = 0},
         {REMEDY_AGAIN, 1, false, false, false}},
        {"first loss",
         STORE_LOST,
         SQL_RECONNECT,
         {.messages = 800, .losses = 1},
         {REMEDY_RECONNECT, 0, false, false, false}},
        {"second loss of one batch",
         STORE_LOST,
         SQL_RECONNECT,
         {.messages = 800, .losses = 2},
         {REMEDY_RECONNECT, 200, false, true, false}},
        {"losses with one message",
         STORE_LOST,
         SQL_RECONNECT,
         {.messages = 1, .losses = 9, .alone = 4},
         {REMEDY_RECONNECT, 1, false, true, false}},
        {"one message tried alone again and again",
         STORE_LOST,
         SQL_RECONNECT,
         {.messages = 1, .losses = 9, .alone = 5},
         {REMEDY_RECONNECT, 1, true, true, false}},
        {"position moved by somebody",
         STORE_STALE,
         SQL_ROW,
         {.messages = 9},
         {REMEDY_RECONNECT, 0, false, false, false}},
        {"deadlock",
         STORE_SOON,
         SQL_RETRY,
         {.messages = 9, .soon = 3},
         {REMEDY_PAUSE, 0, false, false, false}},
        {"deadlocks without end",
         STORE_SOON,
         SQL_RETRY,
         {.messages = 9, .soon = 4},
         {REMEDY_WAIT, 0, false, false, false}},
        {"too large",
         STORE_SMALLER,
         SQL_SMALLER,
         {.messages = 9},
         {REMEDY_AGAIN, 4, false, false, false}},
        {"one message is too large",
         STORE_SMALLER,
         SQL_SMALLER,
         {.messages = 1},
         {REMEDY_WAIT, 1, false, false, false}},
        {"disk full", STORE_WAIT, SQL_WAIT, {.messages = 9}, {REMEDY_WAIT, 0, false, false, false}},
        {"own tables denied",
         STORE_WAIT,
         SQL_RULE,
         {.messages = 9},
         {REMEDY_SCHEMA, 0, false, false, false}},
        {"disk full while stopping",
         STORE_WAIT,
         SQL_WAIT,
         {.messages = 9, .stopping = true},
         {REMEDY_ABANDON, 0, false, false, false}},
        {"outbox full",
         STORE_ACKS,
         SQL_WAIT,
         {.messages = 9},
         {REMEDY_ACKS, 0, false, false, false}},
        {"outbox full while stopping",
         STORE_ACKS,
         SQL_WAIT,
         {.messages = 9, .stopping = true},
         {REMEDY_ABANDON, 0, false, false, false}},
        {"disk of the outbox failed",
         STORE_DISK,
         SQL_WAIT,
         {.messages = 9},
         {REMEDY_STOP, 0, false, false, false}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct pg_failure failure = {.action = cases[i].action};
        struct remedy remedy = trouble_remedy(cases[i].result, &failure, &cases[i].history);

        UNIT_CASE("%s", cases[i].what);
        CHECK_INT_EQ(remedy.act, cases[i].remedy.act);
        CHECK_INT_EQ(remedy.records_max, cases[i].remedy.records_max);
        CHECK_INT_EQ(remedy.give_up, cases[i].remedy.give_up);
        CHECK_INT_EQ(remedy.inquire, cases[i].remedy.inquire);
        CHECK_INT_EQ(remedy.small_batches, 0);
    }
}

/* What uses up the server's locks goes on for a while: batches stay small. */
static void test_used_up(void)
{
    const struct pg_failure failure = {.action = SQL_SMALLER, .sqlstate = "53200"};
    const struct trouble_history history = {.messages = 9};
    struct remedy remedy = trouble_remedy(STORE_SMALLER, &failure, &history);

    CHECK_INT_EQ(remedy.act, REMEDY_AGAIN);
    CHECK_INT_EQ(remedy.records_max, 4);
    CHECK(remedy.small_batches > 1);
}

/* Batches that took too long get as small as should be stored in time, and stay so. */
static void test_fits(void)
{
    static const struct {
        size_t messages, fits, records_max;
        bool stay_small;
    } cases[] = {
        {1000, 0, 500, false}, {1000, 40, 40, true}, {1000, 900, 500, true}, {1, 1, 1, true}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct pg_failure failure = {.action = SQL_SMALLER, .sqlstate = "57014"};
        const struct trouble_history history = {.messages = cases[i].messages,
                                                .fits = cases[i].fits};
        struct remedy remedy = trouble_remedy(STORE_SMALLER, &failure, &history);

        CHECK_INT_EQ(remedy.records_max, cases[i].records_max);
        CHECK_INT_EQ(remedy.small_batches > 1, cases[i].stay_small);
    }
}

UNIT_MAIN("trouble", {"remedies", test_remedies}, {"used_up", test_used_up}, {"fits", test_fits})
