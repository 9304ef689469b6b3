/* One batch, one transaction: what each answer of the server makes of it, over a scripted server.
 *
 * SPDX-License-Identifier: MIT */
#include "core/gap.h"
#include "load/storing.h"

/* Statements, places and what a person is told are those of the code; "a" and "b" are the tables. */
static void test_answers(void)
{
    static const struct {
        const char *what;
        const char *sql, *data, *answer; /* of the server; see pg_script.h */
        enum store_result result;
        const char *verdicts;  /* refused messages, by their payloads */
        enum rule_state state; /* of rule a */
    } cases[] = {
        {"all is well", "nothing", NULL, "TAG:", STORE_DONE, "", RULE_WORKS},
        {"the position is another", "1 / (select count(*)", NULL, "ERROR:22012:division by zero",
         STORE_STALE, "", RULE_WORKS},
        {"one bad row of many", "INTO public.a", "bad", "ERROR:23514:no:positive", STORE_AGAIN,
         "bad", RULE_WORKS},
        {"a row may not be written", "INTO public.a", "bad", "ERROR:42501:row-level security",
         STORE_AGAIN, "bad", RULE_WORKS},
        {"the table is denied", "INTO public.a", NULL, "ERROR:42501:permission denied", STORE_AGAIN,
         "", RULE_PARKED},
        {"the table is locked", "INTO public.a", NULL, "ERROR:55P03:lock timeout", STORE_AGAIN, "",
         RULE_HELD},
        {"one row is locked", "INTO public.a", "bad", "ERROR:55P03:lock timeout", STORE_AGAIN, "",
         RULE_HELD},
        {"the backend ends", "INTO public.a", "bad", "FATAL:57P01:terminating", STORE_LOST, "",
         RULE_WORKS},
        {"the connection ends", "INTO public.a", "bad", "CLOSE", STORE_LOST, "", RULE_WORKS},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct storing storing;
        struct store_failure failure;
        struct buf refused = {0};

        UNIT_CASE("%s", cases[i].what);
        storing_start(&storing);
        storing_publish(&storing, "1 2 bad 3 b:4");
        storing_build(&storing, 0);
        storing_say(&storing, cases[i].sql, cases[i].data, cases[i].answer, 0);
        CHECK_INT_EQ(storing_store(&storing, &failure), cases[i].result);
        for (size_t j = 0; j < storing.verdicts.count; j++) {
            static const char *const payloads[] = {"", "1", "2", "bad", "3", "4"};
            buf_append_text(&refused, payloads[storing.verdicts.list[j].sequence]);
        }
        CHECK_TEXT_EQ(buf_string(&refused), cases[i].verdicts);
        CHECK_INT_EQ(rule_targets_get(storing.targets, 0)->state, cases[i].state);
        CHECK_INT_EQ(rule_targets_get(storing.targets, 1)->state, RULE_WORKS);
        buf_fini(&refused);
        storing_stop(&storing);
    }
    UNIT_CASE("%s", "");
}

/* A rule's only message in a batch was refused with an SQLSTATE that speaks of the table, which takes
 * an empty run: the message is to blame, until two more have gone the same way. */
static void test_one_message_parks_nothing(void)
{
    struct storing storing;
    struct store_failure failure;
    static const struct {
        const char *publish;
        enum store_result result; /* of the batch with the refused message */
        size_t verdicts;
        enum rule_state state;
    } rounds[] = {
        {"bad1", STORE_AGAIN, 1, RULE_WORKS}, {"bad2", STORE_AGAIN, 1, RULE_WORKS},
        {"good", STORE_DONE, 0, RULE_WORKS},  {"bad3", STORE_AGAIN, 1, RULE_WORKS},
        {"bad4", STORE_AGAIN, 1, RULE_WORKS}, {"bad5", STORE_AGAIN, 0, RULE_PARKED},
    };

    storing_start(&storing);
    storing_say(&storing, "INTO public.a", "bad", "ERROR:42P01:relation \"of the trigger\"", 0);
    for (size_t i = 0; i < sizeof(rounds) / sizeof(rounds[0]); i++) {
        UNIT_CASE("%s", rounds[i].publish);
        storing_publish(&storing, rounds[i].publish);
        storing_build(&storing, i);
        CHECK_INT_EQ(storing_store(&storing, &failure), rounds[i].result);
        CHECK_INT_EQ(storing.verdicts.count, rounds[i].verdicts);
        CHECK_INT_EQ(rule_targets_get(storing.targets, 0)->state, rounds[i].state);
        if (rounds[i].result == STORE_AGAIN) { /* with the dead letter */
            storing_build(&storing, i);
            CHECK_INT_EQ(storing_store(&storing, &failure), STORE_DONE);
            CHECK_INT_EQ(storing.batch->dead_letter_count, 1);
        }
        verdicts_reset(&storing.verdicts);
    }
    storing_stop(&storing);
    UNIT_CASE("%s", "");
}

/* What the bridge's own tables refuse is found by halving. A message whose rows are stored with such
 * a statement is given up; else the reason names what must be put right. */
static void test_own_tables(void)
{
    static const struct {
        const char *what;
        const char *publish, *sql, *answer;
        enum store_result result;
        size_t verdicts;
        const char *reason; /* a part of it */
    } cases[] = {
        {"a trigger on dead_letter, many messages", "bad 2 3", "mqtt2pg.dead_letter",
         "ERROR:P0001:not here", STORE_SMALLER, 0, "not here"},
        {"a trigger on dead_letter, one message", "bad", "mqtt2pg.dead_letter",
         "ERROR:P0001:not here", STORE_WAIT, 0, "the table dead_letter refuses a row: not here"},
        {"dead_letter is denied", "bad", "mqtt2pg.dead_letter", "ERROR:42501:denied", STORE_WAIT, 0,
         "denied"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct storing storing;
        struct store_failure failure;

        UNIT_CASE("%s", cases[i].what);
        storing_start(&storing);
        storing_publish(&storing, cases[i].publish);
        verdicts_add(&storing.verdicts, 1, 0,
                     &(struct refused){.reason = "refused before", .sqlstate = "23514"});
        storing_build(&storing, 0);
        storing_say(&storing, cases[i].sql, NULL, cases[i].answer, 0);
        CHECK_INT_EQ(storing_store(&storing, &failure), cases[i].result);
        CHECK_INT_EQ(storing.verdicts.count, cases[i].verdicts + 1);
        CHECK(strstr(failure.pg.message, cases[i].reason) != NULL);
        storing_stop(&storing);
    }
    UNIT_CASE("%s", "");
}

/* A foreign key that is deferred to COMMIT: the parent of "child" stands in the run of the other
 * rule, behind it; "orphan" has none. */
static void test_deferred_between_rules(void)
{
    static const char missing[] = "ERROR:23503:a parent is missing:a_fkey";
    struct storing storing;
    struct store_failure failure;

    storing_start(&storing);
    storing_publish(&storing, "child orphan b:parent");
    storing_build(&storing, 0);
    storing_say(&storing, "^commit", NULL, missing, 1);
    /* Both messages, then each alone. */
    storing_say(&storing, "set constraints", NULL, missing, 3);
    /* The parent, and the child once more. */
    storing_say(&storing, "set constraints", NULL, "TAG:SET CONSTRAINTS", 2);
    storing_say(&storing, "set constraints", NULL, missing, 0);
    CHECK_INT_EQ(storing_store(&storing, &failure), STORE_AGAIN);
    CHECK_INT_EQ(storing.verdicts.count, 1);
    const struct verdict_row *orphan = verdicts_find(&storing.verdicts, 2, 0);
    CHECK(orphan != NULL && orphan->may_pass); /* its parent may come with a later message */
    storing_build(&storing, 0);
    CHECK_INT_EQ(storing_store(&storing, &failure), STORE_DONE);
    CHECK_INT_EQ(storing.batch->rules[0].rows_stored, 1);
    CHECK_INT_EQ(storing.batch->dead_letter_count, 1);
    storing_stop(&storing);
}

/* A row that a foreign key refuses may refer to a row behind the part of a batch. */
static void test_refused_in_a_part(void)
{
    static const char missing[] = "ERROR:23503:a parent is missing:a_fkey";

    for (int part = 0; part < 2; part++) {
        struct storing storing;
        struct store_failure failure;

        storing_start(&storing);
        storing.store.part = part == 1;
        storing_publish(&storing, "orphan b:other");
        storing_build(&storing, 0);
        storing_say(&storing, "^commit", NULL, missing, 1);
        /* The orphan, the other row, and the orphan once more. */
        storing_say(&storing, "set constraints", NULL, missing, 1);
        storing_say(&storing, "set constraints", NULL, "TAG:SET CONSTRAINTS", 1);
        storing_say(&storing, "set constraints", NULL, missing, 0);
        CHECK_INT_EQ(storing_store(&storing, &failure), STORE_AGAIN);
        CHECK_INT_EQ(storing.verdicts.count, 1);
        const struct verdict_row *orphan = verdicts_find(&storing.verdicts, 1, 0);
        CHECK(orphan != NULL && orphan->of_part == (part == 1));
        storing_build(&storing, 0);
        CHECK_INT_EQ(storing.batch->rules[0].waiting, part == 1);
        CHECK_INT_EQ(storing.batch->rules[0].rejected, part == 0);
        storing_stop(&storing);
    }
}

/* A gap and no message: nobody is to blame when COMMIT is refused. */
static void test_gap_refused_at_commit(void)
{
    const struct gap gap = {.cause = slice_of(gap_session_lost), .noticed_at_us = 1, .messages = 1};
    struct buf payload = {0};
    struct message message = gap_to_message(&gap, &payload);
    struct storing storing;
    struct store_failure failure;
    struct error error;

    storing_start(&storing);
    CHECK_INT_EQ(journal_append(storing.journal, &message, &error), OUTCOME_OK);
    storing_build(&storing, 0);
    CHECK_INT_EQ(storing.batch->count, 0);
    CHECK_INT_EQ(storing.batch->gap_count, 1);
    storing_say(&storing, "^commit", NULL, "ERROR:23514:refused late", 1);
    CHECK_INT_EQ(storing_store(&storing, &failure), STORE_SOON);
    CHECK_INT_EQ(storing_store(&storing, &failure), STORE_DONE);
    buf_fini(&payload);
    storing_stop(&storing);
}

/* A pooler or a server that swallows an answer: only the row of `progress` tells what was stored. */
static void test_missing_answers(void)
{
    static const struct {
        const char *what, *sql;
        size_t bytes; /* of the message: a large one goes by COPY */
        enum store_result result;
    } cases[] = {
        {"COPY answers all", "nothing", 300000, STORE_DONE},
        {"COMMIT behind COPY", "^commit", 300000, STORE_LOST},
        {"SET behind COPY", "set local", 300000, STORE_LOST},
        {"COMMIT behind INSERT", "^commit", 3, STORE_LOST},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct storing storing;
        struct store_failure failure;
        char *payload = memory_alloc(cases[i].bytes + 1);

        UNIT_CASE("%s", cases[i].what);
        memset(payload, 'x', cases[i].bytes);
        storing_start(&storing);
        storing_publish(&storing, payload);
        storing_build(&storing, 0);
        storing_say(&storing, cases[i].sql, NULL, "NONE", 0);
        CHECK_INT_EQ(storing_store(&storing, &failure), cases[i].result);
        CHECK_INT_EQ(pg_is_connected(storing.connection), cases[i].result == STORE_DONE);
        storing_stop(&storing);
        free(payload);
    }
    UNIT_CASE("%s", "");
}

static void test_one_round_trip(void)
{
    struct storing storing;
    struct store_failure failure;

    storing_start(&storing);
    storing_publish(&storing, "1 2 b:3");
    storing_build(&storing, 0);
    CHECK_INT_EQ(storing_store(&storing, &failure), STORE_DONE);
    CHECK_INT_EQ(pg_script_trips(&storing.script), 1);
    CHECK_INT_EQ(storing.batch->rules[0].rows_stored, 2);
    CHECK_INT_EQ(storing.batch->rules[1].rows_stored, 1);
    storing_stop(&storing);
}

/* Statements for rows take too long, while the rule of the other table waits. Both batches have the
 * limit; what one leaves behind counts for the next one. */
static void test_slow(void)
{
    static const char slow[] = "ERROR:57014:statement timeout";
    static const struct {
        const char *what, *first, *second; /* messages of the batches; second NULL: none */
        const char *sql, *data;            /* what is slow */
        int times;
        enum store_result result; /* of the last batch */
        enum rule_state a, b;
        int64_t limit_ms;
    } cases[] = {
        {"a table", "1 2 b:4", NULL, "INTO public.a", NULL, 0, STORE_AGAIN, RULE_HELD, RULE_WORKS,
         PATIENCE_FIRST_MS},
        {"a row", "1 bad b:4", NULL, "INTO public.a", "bad", 0, STORE_AGAIN, RULE_HELD, RULE_WORKS,
         PATIENCE_FIRST_MS},
        {"a table, and nothing of the other", "1 2", NULL, "INTO public.a", NULL, 0, STORE_AGAIN,
         RULE_HELD, RULE_WORKS, PATIENCE_FIRST_MS},
        {"the second table", "1 2 b:4", NULL, "INTO public.b", NULL, 0, STORE_AGAIN, RULE_WORKS,
         RULE_HELD, PATIENCE_FIRST_MS},
        {"rows of both", "1 2 b:4", NULL, "INTO public.", NULL, 0, STORE_SMALLER, RULE_WORKS,
         RULE_WORKS, 2 * PATIENCE_FIRST_MS},
        {"one after the other", "1 2", "b:4 b:5", "INTO public.", NULL, 0, STORE_SMALLER,
         RULE_RESUMING, RULE_WORKS, 2 * PATIENCE_FIRST_MS},
        {"a trigger that is deferred", "1 2 b:4", NULL, "set constraints", NULL, 0, STORE_SMALLER,
         RULE_WORKS, RULE_WORKS, 2 * PATIENCE_FIRST_MS},
        {"all rows together", "1 2 b:4", NULL, "INTO public.a", NULL, 1, STORE_SMALLER, RULE_WORKS,
         RULE_WORKS, PATIENCE_FIRST_MS},
        {"one message, for a moment", "1", NULL, "INTO public.a", NULL, 1, STORE_SOON, RULE_WORKS,
         RULE_WORKS, 2 * PATIENCE_FIRST_MS},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct storing storing;
        struct store_failure failure;
        struct patience patience;
        enum store_result result;

        UNIT_CASE("%s", cases[i].what);
        storing_start(&storing);
        patience_init(&patience);
        storing.store.patience = &patience;
        storing_say(&storing, cases[i].sql, cases[i].data, slow, cases[i].times);
        storing_publish(&storing, cases[i].first);
        storing_build(&storing, 0);
        result = storing_store(&storing, &failure);
        if (cases[i].second != NULL) {
            CHECK_INT_EQ(result, STORE_AGAIN);
            storing_publish(&storing, cases[i].second);
            storing_build(&storing, 0);
            result = storing_store(&storing, &failure);
        }
        CHECK_INT_EQ(result, cases[i].result);
        CHECK_INT_EQ(rule_targets_get(storing.targets, 0)->state, cases[i].a);
        CHECK_INT_EQ(rule_targets_get(storing.targets, 1)->state, cases[i].b);
        CHECK_INT_EQ(patience_limit_ms(&patience), cases[i].limit_ms);
        CHECK_INT_EQ(storing.verdicts.count, 0);
        CHECK(result == STORE_SOON ||
              (failure.fits > 0) == (result == STORE_SMALLER && cases[i].times > 0));
        storing_stop(&storing);
    }
    UNIT_CASE("%s", "");
}

/* The limit is for rows: the bridge's own tables and COMMIT have none. */
static void test_limit_ends(void)
{
    struct storing storing;
    struct store_failure failure;
    struct patience patience;

    storing_start(&storing);
    patience_init(&patience);
    storing_publish(&storing, "1 b:2");
    storing_build(&storing, 0);
    CHECK_INT_EQ(storing_store(&storing, &failure), STORE_DONE);
    CHECK_INT_EQ(pg_script_seen(&storing.script, "statement_timeout"), 0);
    pg_script_clear(&storing.script);
    storing.store.patience = &patience;
    storing_build(&storing, 0);
    CHECK_INT_EQ(storing_store(&storing, &failure), STORE_DONE);
    CHECK_INT_EQ(pg_script_trips(&storing.script), 1);
    const char *seen = buf_string(&storing.script.seen);
    const char *begins = strstr(seen, "set_config('statement_timeout'");
    const char *rows = strstr(seen, "INTO public.b");
    const char *ends = strstr(seen, "set local statement_timeout to default");
    CHECK(begins != NULL && begins < rows && rows < ends && ends < strstr(seen, "\ncommit"));
    storing_stop(&storing);
}

/* Time is over while the rows of the first table are tried: a row of the second one is not judged, for
 * the row that it refers to may be one that was not reached. */
static void test_parents_that_were_not_reached(void)
{
    struct storing storing;
    struct store_failure failure;
    struct buf payloads = {0};

    storing_start(&storing);
    for (int i = 0; i < 40; i++) {
        buf_printf(&payloads, "%d ", i);
    }
    buf_append_text(&payloads, "b:child");
    storing_publish(&storing, buf_string(&payloads));
    storing_build(&storing, 0);
    storing_say(&storing, "INTO public.b", "child", "ERROR:23503:a parent is missing:b_fkey", 0);
    storing_say(&storing, "INTO public.a", NULL, "TAG:INSERT 0 40", 1); /* of the batch */
    storing_say(&storing, "INTO public.a", NULL, "TAG:INSERT 0 0", 1);  /* no rows at all */
    storing_say(&storing, "INTO public.a", NULL, "WAIT:3100", 1);
    CHECK_INT_EQ(storing_store(&storing, &failure), STORE_SMALLER);
    CHECK_INT_EQ(storing.verdicts.count, 0);
    buf_fini(&payloads);
    storing_stop(&storing);
}

UNIT_MAIN("load/store", {"what each answer means", test_answers},
          {"one message parks nothing", test_one_message_parks_nothing},
          {"the bridge's own tables", test_own_tables},
          {"deferred to COMMIT, between rules", test_deferred_between_rules},
          {"refused in a part of a batch", test_refused_in_a_part},
          {"a gap that is refused at COMMIT", test_gap_refused_at_commit},
          {"answers that are missing", test_missing_answers},
          {"a batch of few rows is one round trip", test_one_round_trip},
          {"statements that take too long", test_slow}, {"the limit ends", test_limit_ends},
          {"parents that were not reached", test_parents_that_were_not_reached})
