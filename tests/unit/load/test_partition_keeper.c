/* When partitions are made and dropped, and what people are told, over a scripted server.
 *
 * SPDX-License-Identifier: MIT */
#include "load/partition_keeper.h"

#include "base/clock.h"
#include "base/health.h"
#include "load/storing.h"

#define DAY_LONG_US (INT64_C(86400) * 1000000)

/* Rule "a" with partitions of a day; rule "b" without. */
static void keeping_start(struct storing *storing)
{
    storing_start(storing);
    storing->options[0].partition = (struct partition_options){
        .wanted = true, .by = {.text = "time"}, .every_ms = 86400000, .keep_ms = 86400000};
}

/* The server's answer about the table: kind, key, whether it is a time, a date, owner, rows stay, its
 * clock; then one partition from `days` ago, of one day, and one of a person's around that clock. */
static void keeping_state(struct storing *storing, char *text, const char *head, int64_t now_us,
                          int days)
{
    const int64_t from_us = clock_wall_us() - days * DAY_LONG_US;

    sprintf(text,
            "ROWS:%s|%lld|300|public.old|FOR VALUES|f|t|%lld|%lld|\\N\n"
            "%s|%lld|302|public.now|FOR VALUES|f|f|%lld|%lld|\\N",
            head, (long long) now_us, (long long) from_us, (long long) (from_us + DAY_LONG_US),
            head, (long long) now_us, (long long) (now_us - 1000000),
            (long long) (now_us + 60000000));
    pg_script_clear(&storing->script); /* the catalog's lines would answer before this one */
    pg_script_add(&storing->script, (struct script_line){.sql = "partdefid", .answer = text});
    storing_catalog(storing);
}

/* What one turn does by the state of the table. */
static void test_turns(void)
{
    static const struct {
        const char *head;
        int days;           /* how long ago the partition began */
        int64_t ahead_days; /* how far the server's clock is ahead of ours */
        int made, dropped;
        const char *told; /* NULL: nothing */
        bool jumped;      /* no partition of now is there */
    } cases[] = {
        {"p|time|t|f|t|f", 1, 0, 4, 0, NULL, false}, /* it ended now */
        {"p|time|t|f|t|f", 3, 0, 4, 1, NULL, false},
        {"p|time|t|f|t|f", 3, 0, 4, 0, NULL, true},
        {"p|time|t|f|t|f", 1, 4000, 4, 0, NULL, false},  /* the server's clock is wrong */
        {"p|time|t|f|t|f", 3, -4000, 4, 0, NULL, false}, /* or ours */
        {"r|\\N|\\N|f|t|f", 3, 0, 0, 0, "not partitioned: ", false},
        {"p|other|t|f|t|f", 3, 0, 0, 0, "not partitioned by ranges of the time \"time\"", false},
        {"p|\\N|\\N|f|t|f", 3, 0, 0, 0, "not partitioned by ranges", false},
        {"p|time|f|f|t|f", 3, 0, 0, 0, "not partitioned by ranges", false},
        {"p|time|t|f|f|f", 3, 0, 0, 0, "alter table a owner to", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const int64_t now_us = clock_wall_us() + cases[i].ahead_days * DAY_LONG_US;
        struct pg_failure failure = {.message = ""};
        struct health_partitions told;
        struct partition_keeper *keeper;
        struct storing storing;
        char state[800];
        size_t made;

        UNIT_CASE("%s %d %d", cases[i].head, cases[i].days, (int) cases[i].ahead_days);
        keeping_start(&storing);
        keeping_state(&storing, state, cases[i].head, now_us, cases[i].days);
        if (cases[i].jumped) {
            *strchr(state, '\n') = '\0';
        }
        keeper = partition_keeper_new(storing.ruleset);
        for (int turn = 0; turn < 2; turn++) { /* the second one is not due yet */
            CHECK_INT_EQ(
                partition_keeper_run(keeper, storing.targets, storing.connection, &made, &failure),
                OUTCOME_OK);
            CHECK_INT_EQ(made, turn == 0 ? cases[i].made : 0);
        }
        CHECK_INT_EQ(pg_script_seen(&storing.script, "ATTACH PARTITION"), cases[i].made);
        CHECK_INT_EQ(pg_script_seen(&storing.script, "DROP TABLE public.old"), cases[i].dropped);
        CHECK(health_partitions("a", &told) == (cases[i].told != NULL));
        if (cases[i].told != NULL && strstr(told.reason, cases[i].told) == NULL) {
            CHECK_TEXT_EQ(told.reason, cases[i].told);
        }
        partition_keeper_free(keeper);
        storing_stop(&storing);
    }
    UNIT_CASE("%s", "");
}

/* After a jump of the clock the partition of now was made within its own time. What is older than
 * that partition stays for an hour, whoever looks: each case has a keeper of its own, as after a
 * reload or a restart. */
static void test_after_a_jump(void)
{
    static const struct {
        int began, made; /* minutes ago: the partition of now */
        int old_made;    /* minutes ago: the old one; -1 = not known */
        int dropped;
    } cases[] = {
        {120, 1, -1, 0},      {120, 59, 5000, 0}, {120, 61, 5000, 1},
        {120, 61, -1, 1},     {120, 1, 0, 1},    /* made later, for rows that came late */
        {120, 4000, 5000, 1},                    /* made ahead of its time, as usual */
        {10, 20, -1, 1},      {120, -30, -1, 1}, /* the clock was set back */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const int64_t minute_us = 60000000, now_us = clock_wall_us();
        struct pg_failure failure = {.message = ""};
        struct partition_keeper *keeper;
        struct storing storing;
        char state[800], old_made[24] = "\\N";
        size_t made;

        UNIT_CASE("%d %d %d", cases[i].began, cases[i].made, cases[i].old_made);
        if (cases[i].old_made >= 0) {
            sprintf(old_made, "%lld", (long long) (now_us - cases[i].old_made * minute_us));
        }
        keeping_start(&storing);
        pg_script_clear(&storing.script);
        sprintf(state,
                "ROWS:p|time|t|f|t|f|%lld|300|public.old|FOR VALUES|f|t|%lld|%lld|%s\n"
                "p|time|t|f|t|f|%lld|302|public.now|FOR VALUES|f|t|%lld|%lld|%lld",
                (long long) now_us, (long long) (now_us - 4 * DAY_LONG_US),
                (long long) (now_us - 3 * DAY_LONG_US), old_made, (long long) now_us,
                (long long) (now_us - cases[i].began * minute_us),
                (long long) (now_us + 100 * minute_us),
                (long long) (now_us - cases[i].made * minute_us));
        pg_script_add(&storing.script, (struct script_line){.sql = "partdefid", .answer = state});
        storing_catalog(&storing);
        keeper = partition_keeper_new(storing.ruleset);
        CHECK_INT_EQ(
            partition_keeper_run(keeper, storing.targets, storing.connection, &made, &failure),
            OUTCOME_OK);
        CHECK_INT_EQ(pg_script_seen(&storing.script, "DROP TABLE public.old"), cases[i].dropped);
        partition_keeper_free(keeper);
        storing_stop(&storing);
    }
    UNIT_CASE("%s", "");
}

/* The first refusal is not told: another bridge may have been faster. What can't be made does not
 * keep an old partition. */
static void test_refused(void)
{
    struct pg_failure failure = {.message = ""};
    struct health_partitions told;
    struct partition_keeper *keeper;
    struct storing storing;
    char state[800];
    size_t made;

    keeping_start(&storing);
    keeping_state(&storing, state, "p|time|t|f|t|f", clock_wall_us(), 3);
    pg_script_add(&storing.script, (struct script_line){.sql = "ATTACH PARTITION",
                                                        .answer = "ERROR:42P07:is there"});
    keeper = partition_keeper_new(storing.ruleset);
    CHECK_INT_EQ(partition_keeper_run(keeper, storing.targets, storing.connection, &made, &failure),
                 OUTCOME_OK);
    CHECK_INT_EQ(made, 0);
    CHECK_INT_EQ(pg_script_seen(&storing.script, "DROP TABLE public.old"), 1);
    CHECK(!health_partitions("a", &told));
    partition_keeper_free(keeper);
    storing_stop(&storing);
}

/* One partition that can't be dropped, for example because a view reads it, keeps no other one. */
static void test_one_stays(void)
{
    struct pg_failure failure = {.message = ""};
    struct partition_keeper *keeper;
    struct storing storing;
    char state[800];
    char rows[1200];
    size_t made;

    keeping_start(&storing);
    keeping_state(&storing, state, "p|time|t|f|t|f", clock_wall_us(), 4);
    sprintf(rows, "%s\np|time|t|f|t|f|%lld|301|public.next|FOR VALUES|f|t|%lld|%lld|\\N", state,
            (long long) clock_wall_us(), (long long) (clock_wall_us() - 3 * DAY_LONG_US),
            (long long) (clock_wall_us() - 2 * DAY_LONG_US));
    pg_script_clear(&storing.script);
    pg_script_add(&storing.script, (struct script_line){.sql = "DROP TABLE public.old",
                                                        .answer = "ERROR:2BP01:a view reads it"});
    pg_script_add(&storing.script, (struct script_line){.sql = "partdefid", .answer = rows});
    storing_catalog(&storing);
    keeper = partition_keeper_new(storing.ruleset);
    CHECK_INT_EQ(partition_keeper_run(keeper, storing.targets, storing.connection, &made, &failure),
                 OUTCOME_OK);
    CHECK_INT_EQ(pg_script_seen(&storing.script, "DROP TABLE public.next"), 1);
    partition_keeper_free(keeper);
    storing_stop(&storing);
}

/* A turn at which the connection is lost is not the first thing on the next one. */
static void test_lost(void)
{
    struct pg_failure failure = {.message = ""};
    struct partition_keeper *keeper;
    struct pg_connection *next;
    struct storing storing;
    char state[800];
    size_t made;

    keeping_start(&storing);
    keeping_state(&storing, state, "p|time|t|f|t|f", clock_wall_us(), 3);
    pg_script_add(&storing.script,
                  (struct script_line){.sql = "ATTACH PARTITION", .answer = "CLOSE"});
    keeper = partition_keeper_new(storing.ruleset);
    CHECK_INT_EQ(partition_keeper_run(keeper, storing.targets, storing.connection, &made, &failure),
                 OUTCOME_RETRY);
    next = pg_script_connect(&storing.script);
    CHECK_INT_EQ(partition_keeper_run(keeper, storing.targets, next, &made, &failure), OUTCOME_OK);
    CHECK_INT_EQ(pg_script_seen(&storing.script, "partdefid"), 0);
    pg_connection_free(next);
    partition_keeper_free(keeper);
    storing_stop(&storing);
}

UNIT_MAIN("load/partition_keeper", {"turns", test_turns}, {"after_a_jump", test_after_a_jump},
          {"refused", test_refused}, {"one_stays", test_one_stays}, {"lost", test_lost})
