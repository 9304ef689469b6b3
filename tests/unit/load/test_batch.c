/* What a batch makes of messages: rows, dead letters, parked letters, within its limits. Over a
 * scripted server, which only gives the tables.
 *
 * SPDX-License-Identifier: MIT */
#include "core/gap.h"
#include "load/storing.h"

/* Messages "1 2 b:3 4" are numbered from 1. */
static void test_fates(void)
{
    static const struct {
        const char *what;
        enum rule_state state;    /* of rule a */
        uint64_t refused;         /* a verdict on this message, under rule a */
        bool may_pass;            /* the verdict's */
        bool of_part;             /* the verdict's */
        int64_t retry_for_ms;     /* of rule a */
        struct rule_batch wanted; /* of rule a */
    } cases[] = {
        {"rows", RULE_WORKS, 0, false, false, 0, {.mapped = 3, .row_count = 3}},
        {"a refused message",
         RULE_WORKS,
         2,
         false,
         false,
         0,
         {.mapped = 2, .row_count = 2, .rejected = 1}},
        {"one that may pass",
         RULE_WORKS,
         2,
         true,
         false,
         INT64_MAX / 1000,
         {.mapped = 2, .row_count = 2, .waiting = 1}},
        {"whose time is over",
         RULE_WORKS,
         2,
         true,
         false,
         1,
         {.mapped = 2, .row_count = 2, .rejected = 1}},
        {"one of a part of a batch",
         RULE_WORKS,
         2,
         true,
         true,
         0,
         {.mapped = 2, .row_count = 2, .waiting = 1}},
        {"never passes",
         RULE_WORKS,
         2,
         false,
         false,
         INT64_MAX / 1000,
         {.mapped = 2, .row_count = 2, .rejected = 1}},
        {"parked", RULE_PARKED, 0, false, false, 0, {.parked = 3}},
        {"held", RULE_HELD, 0, false, false, 0, {.parked = 3}},
        {"resuming", RULE_RESUMING, 0, false, false, 0, {.parked = 3}},
        {"parked, whatever was refused", RULE_PARKED, 2, false, false, 0, {.parked = 3}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct storing storing;
        const struct rule_batch *rule;

        UNIT_CASE("%s", cases[i].what);
        storing_start(&storing);
        storing.options[0].retry_for_ms = cases[i].retry_for_ms;
        storing_publish(&storing, "1 2 b:3 4");
        if (cases[i].state == RULE_PARKED) {
            rule_targets_park(storing.targets, 0, "no table", "42P01");
        } else if (cases[i].state != RULE_WORKS) {
            rule_targets_hold(storing.targets, 0, "locked", "55P03");
        }
        if (cases[i].state == RULE_RESUMING) {
            rule_targets_resume(storing.targets, 0);
        }
        if (cases[i].refused != 0) {
            verdicts_add(
                &storing.verdicts, cases[i].refused, 0,
                &(struct refused){"refused before", "23503", cases[i].may_pass, cases[i].of_part});
        }
        storing_build(&storing, 0);
        rule = &storing.batch->rules[0];
        CHECK_INT_EQ(rule->mapped, cases[i].wanted.mapped);
        CHECK_INT_EQ(rule->row_count, cases[i].wanted.row_count);
        CHECK_INT_EQ(rule->rejected, cases[i].wanted.rejected);
        CHECK_INT_EQ(rule->waiting, cases[i].wanted.waiting);
        CHECK_INT_EQ(rule->parked, cases[i].wanted.parked);
        CHECK_INT_EQ(storing.batch->rules[1].row_count, 1);
        CHECK_INT_EQ(storing.batch->dead_letter_count,
                     rule->rejected + rule->waiting + rule->parked);
        CHECK(storing.batch->from == 0 && storing.batch->to == 4 && storing.batch->count == 4);
        CHECK_INT_EQ(storing.batch->sequences[2], 3);
        batch_check(storing.batch);
        storing_stop(&storing);
    }
    UNIT_CASE("%s", "");
}

/* How many messages of five a batch takes, and what the next one begins with. */
static void test_limits(void)
{
    static const struct {
        const char *what;
        int64_t max_rows, max_bytes;
        uint64_t count; /* messages in the first batch */
    } cases[] = {
        {"all", 1000, 1024 * 1024, 5},
        {"rows", 2, 1024 * 1024, 2},
        {"one row", 1, 1024 * 1024, 1},
        {"bytes: the last message may go beyond", 1000, 10, 2},
        {"as many as rows", 5, 1024 * 1024, 5},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct storing storing;

        UNIT_CASE("%s", cases[i].what);
        storing_start(&storing);
        storing.limits.max_rows = cases[i].max_rows;
        storing.limits.max_bytes = cases[i].max_bytes;
        storing_publish(&storing, "1 2 3 4 5");
        storing_build(&storing, 0);
        CHECK_INT_EQ(storing.batch->count, cases[i].count);
        CHECK_INT_EQ(storing.batch->to, cases[i].count);
        storing_build(&storing, storing.batch->to);
        CHECK_INT_EQ(storing.batch->from, cases[i].count);
        CHECK(cases[i].count == 5 ? storing.batch->count == 0
                                  : storing.batch->sequences[0] == cases[i].count + 1);
        storing_stop(&storing);
    }
    UNIT_CASE("%s", "");
}

/* The same messages give the same batch, however often it is built: a retry stores the same. */
static void test_same_again(void)
{
    struct storing storing;
    struct buf first = {0};
    const struct buf *bytes;

    storing_start(&storing);
    storing_publish(&storing, "1 2 b:3 4");
    storing_build(&storing, 0);
    bytes = &storing.batch->runs.writes[0].bytes;
    buf_append_slice(&first, buf_slice(bytes));
    CHECK(first.length > 0);
    rule_targets_park(storing.targets, 0, "no table", "42P01");
    storing_build(&storing, 0);
    CHECK_INT_EQ(storing.batch->runs.count, 1); /* of rule b */
    CHECK_INT_EQ(storing.batch->bytes > 0, true);
    struct pg_failure failure;
    CHECK_INT_EQ(rule_targets_read(storing.targets, storing.connection, &failure), OUTCOME_OK);
    storing_build(&storing, 0);
    CHECK(slice_equal(buf_slice(bytes), buf_slice(&first)));
    CHECK_INT_EQ(storing.batch->dead_letters.length, 0);
    buf_fini(&first);
    storing_stop(&storing);
}

/* A batch that stores fewer rows than it has: the first messages count as stored, up to the sum. */
static void test_count_stored(void)
{
    struct storing storing;

    storing_start(&storing);
    storing_publish(&storing, "1 2 3");
    storing_build(&storing, 0);
    CHECK_INT_EQ(storing.batch->rules[0].rows_stored, 0);
    batch_count_stored(storing.batch, 0, 0, 3, 2);
    CHECK_INT_EQ(storing.batch->rules[0].rows_stored, 2);
    storing_stop(&storing);
}

UNIT_MAIN("load/batch", {"what becomes of messages", test_fates}, {"limits", test_limits},
          {"the same again", test_same_again}, {"rows stored", test_count_stored})
