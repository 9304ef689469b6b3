/* Dead letters through today's rules once more, over a scripted server.
 *
 * SPDX-License-Identifier: MIT */
#include "load/retry.h"

#include "load/storing.h"

enum kind { LETTER_PARKED, LETTER_WAITS, LETTER_HEAD };

/* Answers the reading of letters with these payloads, whose ids count from 1. "b:1" is a letter of
 * rule b. */
static void say_letters(struct storing *storing, const char *payloads, enum kind kind,
                        struct buf *rows)
{
    char *text = memory_strdup(payloads), *rest = text, *word;
    int id = 0;

    buf_reset(rows);
    buf_append_text(rows, "ROWS:");
    while ((word = strsep(&rest, " ")) != NULL) {
        bool other = strncmp(word, "b:", 2) == 0;

        id++;
        buf_printf(rows, "%s%d|1|1|%s|\\x%s2f78|\\x", id > 1 ? "\n" : "", id, other ? "b" : "a",
                   other ? "62" : "61");
        for (const char *c = other ? word + 2 : word; *c != '\0'; c++) {
            buf_printf(rows, "%02x", (unsigned char) *c);
        }
        buf_printf(rows, "|1|f|f|\\x|why||%c|client|\\N|%d|%d|%c",
                   kind == LETTER_PARKED ? 't' : 'f', id, kind == LETTER_HEAD ? 300000 : 0,
                   kind == LETTER_WAITS ? 't' : 'f');
    }
    free(text);
    storing_say(storing, "pg_try_advisory_xact_lock", NULL, "ROWS:t", 0);
    storing_say(storing, "array_agg(s.id", NULL, "ROWS:{1}", 0);
    pg_script_add(&storing->script,
                  (struct script_line){"order by d.id", NULL, buf_string(rows), 0});
}

static enum store_result retry(struct storing *storing, struct retry_counts *counts)
{
    static const unsigned rule_a = 0;
    const struct retry_rules rules = {&rule_a, 1, NULL};
    const struct dead_letter_query query = {.client_id = "client", .parked = 1, .limit = 500};
    struct pg_failure failure = {.message = ""};

    *counts = (struct retry_counts){0};
    return retry_letters(&storing->store, &rules, &query, counts, &failure);
}

static void test_portions(void)
{
    static const struct {
        const char *what;
        const char *letters, *sql, *data, *answer;
        enum store_result result;  /* of the first call */
        enum rule_state state;     /* of the rule, then */
        uint64_t stored, rejected; /* by the second call, when the first one learned something */
    } cases[] = {
        {"all are stored", "1 2", "nothing", NULL, "", STORE_DONE, RULE_RESUMING, 2, 0},
        {"one is refused", "1 bad 3", "INTO public.a", "bad", "ERROR:23514:no:positive",
         STORE_AGAIN, RULE_RESUMING, 2, 1},
        {"one is slow", "1 slow 3", "INTO public.a", "slow", "ERROR:57014:timeout", STORE_AGAIN,
         RULE_RESUMING, 2, 1},
        {"all are slow", "slow1 slow2", "INTO public.a", "slow", "ERROR:57014:timeout",
         STORE_SMALLER, RULE_RESUMING, 0, 0},
        {"the table is locked", "1 2", "INTO public.a", NULL, "ERROR:55P03:lock timeout",
         STORE_WAIT, RULE_HELD, 0, 0},
        {"the table is denied", "1 2", "INTO public.a", NULL, "ERROR:42501:denied", STORE_WAIT,
         RULE_PARKED, 0, 0},
        {"refused at COMMIT", "1 bad", "set constraints", "none", "", STORE_DONE, RULE_RESUMING, 2,
         0},
        {"the connection ends", "1 2", "INTO public.a", NULL, "CLOSE", STORE_LOST, RULE_RESUMING, 0,
         0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct storing storing;
        struct retry_counts counts;
        struct buf rows = {0};

        UNIT_CASE("%s", cases[i].what);
        storing_start(&storing);
        rule_targets_hold(storing.targets, 0, "locked", "55P03");
        rule_targets_resume(storing.targets, 0);
        say_letters(&storing, cases[i].letters, LETTER_PARKED, &rows);
        storing_say(&storing, cases[i].sql, cases[i].data, cases[i].answer, 0);
        CHECK_INT_EQ(retry(&storing, &counts), cases[i].result);
        CHECK_INT_EQ(rule_targets_get(storing.targets, 0)->state, cases[i].state);
        if (cases[i].result == STORE_AGAIN) {
            CHECK_INT_EQ(retry(&storing, &counts), STORE_DONE);
        }
        CHECK_INT_EQ(counts.stored, cases[i].stored);
        CHECK_INT_EQ(counts.rejected, cases[i].rejected);
        CHECK_INT_EQ(pg_script_seen(&storing.script, "set reason"), (int) cases[i].rejected);
        storing_stop(&storing);
        buf_fini(&rows);
    }
    UNIT_CASE("%s", "");
}

/* A letter that alone keeps failing is set aside after some tries, and those behind it flow. */
static void test_slow_letter_is_given_up(void)
{
    struct storing storing;
    struct retry_counts counts;
    struct buf rows = {0};
    int tries = 0;
    enum store_result result;

    storing_start(&storing);
    rule_targets_hold(storing.targets, 0, "timeout", "57014");
    say_letters(&storing, "slow", LETTER_PARKED, &rows);
    storing_say(&storing, "INTO public.a", "slow", "ERROR:57014:timeout", 0);
    do {
        if (rule_targets_get(storing.targets, 0)->state == RULE_HELD) {
            rule_targets_resume(storing.targets, 0);
        }
        result = retry(&storing, &counts);
        CHECK(result == STORE_WAIT || result == STORE_AGAIN);
    } while (++tries < 20 && result == STORE_WAIT);
    CHECK_INT_EQ(tries, 5);
    CHECK_INT_EQ(rule_targets_get(storing.targets, 0)->state, RULE_RESUMING);
    CHECK_INT_EQ(retry(&storing, &counts), STORE_DONE);
    CHECK_INT_EQ(counts.rejected, 1);
    storing_stop(&storing);
    buf_fini(&rows);
}

/* Letters behind a row that somebody has locked. They are rejected after some tries when newer letters
 * pass, and wait when none passes: then it is not the row alone that is locked. */
static void test_locked_letters(void)
{
    static const struct {
        const char *what, *newest; /* the payload of the newest letter, in hexadecimal digits */
        enum store_result result;
        uint64_t rejected;
    } cases[] = {
        {"newer ones pass", "676f6f64", STORE_AGAIN, 2},
        {"none passes", "6c6f636b", STORE_WAIT, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct storing storing;
        struct retry_counts counts;
        struct buf rows = {0}, newest = {0};
        int tries = 0;
        enum store_result result;

        UNIT_CASE("%s", cases[i].what);
        storing_start(&storing);
        rule_targets_hold(storing.targets, 0, "locked", "55P03");
        buf_printf(&newest, "ROWS:9|1|1|a|\\x612f78|\\x%s|1|f|f|\\x|why||t|client|\\N|9|0|f",
                   cases[i].newest);
        storing_say(&storing, "order by id desc", NULL, "ROWS:{9}", 0);
        storing_say(&storing, "order by d.id", "{9}", buf_string(&newest), 0);
        say_letters(&storing, "lock1 lock2", LETTER_PARKED, &rows);
        storing_say(&storing, "INTO public.a", "lock", "ERROR:55P03:lock timeout", 0);
        do {
            if (rule_targets_get(storing.targets, 0)->state == RULE_HELD) {
                rule_targets_resume(storing.targets, 0);
            }
            result = retry(&storing, &counts);
        } while (++tries < 8 && result == STORE_WAIT);
        CHECK_INT_EQ(result, cases[i].result);
        CHECK_INT_EQ(tries, cases[i].result == STORE_AGAIN ? 5 : 8);
        if (result == STORE_AGAIN) {
            CHECK_INT_EQ(rule_targets_get(storing.targets, 0)->state, RULE_RESUMING);
            CHECK_INT_EQ(retry(&storing, &counts), STORE_DONE);
        }
        CHECK_INT_EQ(counts.rejected, cases[i].rejected);
        CHECK_INT_EQ(counts.stored, 0);
        storing_stop(&storing);
        buf_fini(&rows);
        buf_fini(&newest);
    }
    UNIT_CASE("%s", "");
}

/* A letter that takes too long, while rules of other tables wait: given up as soon as a newer one passes,
 * and never while none does. */
static void test_slow_letter_in_the_way(void)
{
    static const struct {
        const char *what, *newest; /* payloads of the newest letters, in hexadecimal digits */
        enum store_result result;
        int tries;
    } cases[] = {{"a newer one passes", "676f6f64", STORE_AGAIN, 1},
                 {"none passes", "736c6f77", STORE_WAIT, 8}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct storing storing;
        struct retry_counts counts;
        struct patience patience;
        struct buf rows = {0}, newest = {0};
        int tries = 0;
        enum store_result result;

        UNIT_CASE("%s", cases[i].what);
        storing_start(&storing);
        patience_init(&patience);
        storing.store.patience = &patience;
        rule_targets_hold(storing.targets, 0, "timeout", "57014");
        buf_printf(&newest,
                   "ROWS:8|1|1|a|\\x612f78|\\x736c6f77|1|f|f|\\x|why||t|client|\\N|8|0|f\n"
                   "9|1|1|a|\\x612f78|\\x%s|1|f|f|\\x|why||t|client|\\N|9|0|f",
                   cases[i].newest);
        storing_say(&storing, "order by id desc", NULL, "ROWS:{8,9}", 0);
        storing_say(&storing, "order by d.id", "{8,9}", buf_string(&newest), 0);
        say_letters(&storing, "slow", LETTER_PARKED, &rows);
        storing_say(&storing, "INTO public.a", "slow", "ERROR:57014:statement timeout", 0);
        do {
            if (rule_targets_get(storing.targets, 0)->state == RULE_HELD) {
                rule_targets_resume(storing.targets, 0);
            }
            result = retry(&storing, &counts);
        } while (++tries < 8 && result == STORE_WAIT);
        CHECK_INT_EQ(result, cases[i].result);
        CHECK_INT_EQ(tries, cases[i].tries);
        storing_stop(&storing);
        buf_fini(&rows);
        buf_fini(&newest);
    }
    UNIT_CASE("%s", "");
}

/* Letters that wait for a row or a partition, of a rule with or without `retry_for`. */
static void test_waiting_letters(void)
{
    static const struct {
        const char *what;
        int64_t retry_for_ms;
        const char *answer;
        uint64_t stored, rejected, waiting;
    } cases[] = {
        {"still no parent", INT64_MAX / 1000, "ERROR:23503:no parent:fkey", 1, 0, 1},
        {"still no partition", INT64_MAX / 1000, "ERROR:23514:no partition of relation", 1, 0, 1},
        {"the time is over", 1, "ERROR:23503:no parent:fkey", 1, 1, 0},
        {"retry_for was taken away", 0, "ERROR:23503:no parent:fkey", 1, 1, 0},
        {"now a CHECK", INT64_MAX / 1000, "ERROR:23514:too large:n_check", 1, 1, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct storing storing;
        struct retry_counts counts;
        struct buf rows = {0};

        UNIT_CASE("%s", cases[i].what);
        storing_start(&storing);
        storing.options[0].retry_for_ms = cases[i].retry_for_ms;
        say_letters(&storing, "1 bad", LETTER_WAITS, &rows);
        storing_say(&storing, "INTO public.a", "bad", cases[i].answer, 0);
        CHECK_INT_EQ(retry(&storing, &counts), STORE_AGAIN);
        CHECK_INT_EQ(retry(&storing, &counts), STORE_DONE);
        CHECK_INT_EQ(counts.stored, cases[i].stored);
        CHECK_INT_EQ(counts.rejected, cases[i].rejected);
        CHECK_INT_EQ(counts.waiting, cases[i].waiting);
        storing_stop(&storing);
        buf_fini(&rows);
    }
    UNIT_CASE("%s", "");
}

/* Of a message that was too large only the head was kept: it never becomes a row. */
static void test_head_is_no_message(void)
{
    struct storing storing;
    struct retry_counts counts;
    struct buf rows = {0};

    storing_start(&storing);
    say_letters(&storing, "begin", LETTER_HEAD, &rows);
    CHECK_INT_EQ(retry(&storing, &counts), STORE_DONE);
    CHECK_INT_EQ(counts.stored, 0);
    CHECK_INT_EQ(counts.rejected, 1);
    CHECK_INT_EQ(pg_script_seen(&storing.script, "INTO public.a"), 0);
    storing_stop(&storing);
    buf_fini(&rows);
}

/* Another session stores letters of this rule: they are not passed over. */
static void test_one_session_at_a_time(void)
{
    struct storing storing;
    struct retry_counts counts;
    struct buf rows = {0};

    storing_start(&storing);
    storing_say(&storing, "pg_try_advisory_xact_lock", "false", "ROWS:f", 0);
    storing_say(&storing, "pg_try_advisory_xact_lock", "true", "ERROR:55P03:lock timeout", 0);
    say_letters(&storing, "1 2", LETTER_PARKED, &rows);
    CHECK_INT_EQ(retry(&storing, &counts), STORE_DONE);
    CHECK_INT_EQ(counts.letters, 0);
    storing.store.waits = true;
    CHECK_INT_EQ(retry(&storing, &counts), STORE_SOON);
    CHECK_INT_EQ(pg_script_seen(&storing.script, "order by d.id"), 0);
    storing_stop(&storing);
    buf_fini(&rows);
}

UNIT_MAIN("load/retry", {"portions", test_portions},
          {"a slow letter is given up", test_slow_letter_is_given_up},
          {"locked letters", test_locked_letters},
          {"a slow letter in the way", test_slow_letter_in_the_way},
          {"letters that wait", test_waiting_letters},
          {"the head of a message", test_head_is_no_message},
          {"one session at a time", test_one_session_at_a_time})
