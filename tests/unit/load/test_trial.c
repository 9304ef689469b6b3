/* Finding the messages that PostgreSQL refuses, over a scripted server.
 *
 * SPDX-License-Identifier: MIT */
#include "load/trial.h"

#include "base/clock.h"
#include "load/storing.h"

/* Publishes so many messages on a/x, of which each one in `bad` is "bad" and the others "good". */
static void publish(struct storing *storing, size_t count, const size_t *bad, size_t bad_count)
{
    struct buf payloads = {0};

    for (size_t i = 0; i < count; i++) {
        bool is_bad = false;

        for (size_t j = 0; j < bad_count; j++) {
            is_bad = is_bad || bad[j] == i;
        }
        buf_printf(&payloads, "%s%s", i == 0 ? "" : " ", is_bad ? "bad" : "good");
    }
    storing_publish(storing, buf_string(&payloads));
    buf_fini(&payloads);
    storing_build(storing, 0);
}

static struct trial begin(struct storing *storing, bool immediate)
{
    struct pg_failure failure = {.message = ""};

    CHECK_INT_EQ(trial_begin(&storing->store, false, &failure), OUTCOME_OK);
    return (struct trial){
        .store = &storing->store, .batch = storing->batch, .run = 0, .immediate = immediate};
}

/* Refused messages are found wherever they stand. Only chunks in which one stands are tried message by
 * message. */
static void test_refused(void)
{
    static const struct {
        const char *what;
        size_t count;
        size_t bad[4], bad_count;
        int tries; /* statements with rows */
    } cases[] = {
        {"none", 100, {0}, 0, 4},
        {"the first and the last", 100, {0, 99}, 2, 42},
        {"all of three", 3, {0, 1, 2}, 3, 4},
        {"at the edges of a chunk", 100, {31, 32, 63, 64}, 4, 101},
        {"in the second window", 1200, {1100}, 1, 74},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct storing storing;
        struct pg_failure failure = {.message = ""};
        struct trial trial;

        UNIT_CASE("%s", cases[i].what);
        storing_start(&storing);
        storing.limits.max_rows = 10000;
        publish(&storing, cases[i].count, cases[i].bad, cases[i].bad_count);
        storing_say(&storing, "INTO public.a", "bad", "ERROR:23514:refused:positive", 0);
        trial = begin(&storing, false);
        CHECK_INT_EQ(trial_run(&trial, &failure), OUTCOME_OK);
        CHECK_INT_EQ(trial.count, cases[i].bad_count);
        for (size_t j = 0; j < trial.count && j < cases[i].bad_count; j++) {
            CHECK_INT_EQ(trial.refusals[j].extent, cases[i].bad[j]);
            CHECK_TEXT_EQ(trial.refusals[j].failure.sqlstate, "23514");
        }
        CHECK_INT_EQ(trial.tested, cases[i].count);
        CHECK(!trial.cut_off);
        CHECK_INT_EQ(pg_script_seen(&storing.script, "INTO public.a"), cases[i].tries);
        CHECK_INT_EQ(pg_script_seen(&storing.script, "\ncommit"), 0);
        trial_fini(&trial);
        storing_stop(&storing);
    }
    UNIT_CASE("%s", "");
}

/* The statements fail over no rows: nothing is said of messages, and the trial can go on. */
static void test_empty(void)
{
    struct storing storing;
    struct pg_failure failure = {.message = ""};
    struct trial trial;
    bool passes = true;

    storing_start(&storing);
    publish(&storing, 2, NULL, 0);
    trial = begin(&storing, false);
    CHECK_INT_EQ(trial_empty(&trial, &passes, &failure), OUTCOME_OK);
    CHECK(passes);
    storing_say(&storing, "INTO public.a", NULL, "ERROR:55P03:lock timeout", 0);
    CHECK_INT_EQ(trial_empty(&trial, &passes, &failure), OUTCOME_OK);
    CHECK(!passes);
    CHECK_TEXT_EQ(failure.sqlstate, "55P03");
    trial_fini(&trial);
    storing_stop(&storing);
}

/* A deferred constraint: refused at first, met when rows behind are in place. A row that is refused
 * for another reason is not tried again. */
static void test_again(void)
{
    struct storing storing;
    struct pg_failure failure = {.message = ""};
    const size_t bad[] = {2};
    struct trial trial;

    storing_start(&storing);
    publish(&storing, 3, bad, 1);
    storing_say(&storing, "INTO public.a", "bad", "ERROR:22P02:no number", 0);
    /* Each of the two good messages alone, once. */
    storing_say(&storing, "set constraints", NULL, "ERROR:23503:no parent:fkey", 2);
    trial = begin(&storing, true);
    CHECK_INT_EQ(trial_run(&trial, &failure), OUTCOME_OK);
    CHECK_INT_EQ(trial.count, 3);
    CHECK(trial_may_be_met(&trial.refusals[0]) && !trial_may_be_met(&trial.refusals[2]));
    CHECK_INT_EQ(trial_again(&trial, trial_may_be_met, &failure), OUTCOME_OK);
    CHECK_INT_EQ(trial.count, 1);
    CHECK_INT_EQ(trial.refusals[0].extent, 2);
    CHECK_INT_EQ(trial.tested, 3);
    trial_fini(&trial);
    storing_stop(&storing);
}

/* Time is over: what stands behind the last message that was judged is neither refused nor passed. */
static void test_cut_off(void)
{
    struct storing storing;
    struct pg_failure failure = {.message = ""};
    struct trial trial;
    size_t bad[64];

    for (size_t i = 0; i < 64; i++) {
        bad[i] = i;
    }
    storing_start(&storing);
    publish(&storing, 64, bad, 64);
    storing_say(&storing, "INTO public.a", "bad", "ERROR:57014:timeout", 0);
    trial = begin(&storing, false);
    trial.deadline_ms = clock_monotonic_ms() - 1;
    CHECK_INT_EQ(trial_run(&trial, &failure), OUTCOME_OK);
    CHECK(trial.cut_off);
    CHECK(trial.tested > 0 && trial.tested < 64);
    CHECK_INT_EQ(trial.count, trial.tested); /* all that were judged are refused */
    trial_fini(&trial);
    storing_stop(&storing);
}

/* Rows that pass, but take long: the trial ends when its time is over, behind a whole window. */
static void test_late(void)
{
    struct storing storing;
    struct pg_failure failure = {.message = ""};
    struct trial trial;

    storing_start(&storing);
    publish(&storing, 200, NULL, 0);
    trial = begin(&storing, false);
    trial.deadline_ms = clock_monotonic_ms() - 1;
    CHECK_INT_EQ(trial_run(&trial, &failure), OUTCOME_OK);
    CHECK(trial.cut_off);
    CHECK_INT_EQ(trial.tested, 32);
    CHECK_INT_EQ(trial.count, 0);
    trial_fini(&trial);
    storing_stop(&storing);
}

/* A statement took too long: one row that does so is enough, and no second one is waited for. */
static void test_timed(void)
{
    static const struct {
        const char *what;
        size_t bad[2], bad_count, tested, tries;
    } cases[] = {
        {"the first row", {0, 1}, 2, 1, 1},
        {"rows among others", {40, 50}, 2, 41, 11},
        {"none", {0}, 0, 100, 6},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct storing storing;
        struct pg_failure failure = {.message = ""};
        struct trial trial;

        UNIT_CASE("%s", cases[i].what);
        storing_start(&storing);
        publish(&storing, 100, cases[i].bad, cases[i].bad_count);
        storing_say(&storing, "INTO public.a", "bad", "ERROR:57014:timeout", 0);
        trial = begin(&storing, false);
        trial.timed = true;
        CHECK_INT_EQ(trial_run(&trial, &failure), OUTCOME_OK);
        CHECK_INT_EQ(trial.cut_off, cases[i].bad_count > 0);
        CHECK_INT_EQ(trial.tested, cases[i].tested);
        CHECK_INT_EQ(trial.count, cases[i].bad_count > 0);
        CHECK_INT_EQ(pg_script_seen(&storing.script, "INTO public.a"), cases[i].tries);
        trial_fini(&trial);
        storing_stop(&storing);
    }
    UNIT_CASE("%s", "");
}

/* The connection ends with a row: said so, not taken for a refusal. */
static void test_lost(void)
{
    struct storing storing;
    struct pg_failure failure = {.message = ""};
    const size_t bad[] = {1};
    struct trial trial;

    storing_start(&storing);
    publish(&storing, 3, bad, 1);
    storing_say(&storing, "INTO public.a", "bad", "CLOSE", 0);
    trial = begin(&storing, false);
    CHECK_INT_EQ(trial_run(&trial, &failure), OUTCOME_RETRY);
    CHECK(!pg_is_connected(storing.connection));
    CHECK_INT_EQ(trial.count, 0);
    trial_fini(&trial);
    storing_stop(&storing);
}

UNIT_MAIN("load/trial", {"refused messages", test_refused}, {"no rows at all", test_empty},
          {"again", test_again}, {"cut off", test_cut_off}, {"late", test_late},
          {"timed", test_timed}, {"connection lost", test_lost})
