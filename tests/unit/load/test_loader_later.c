/* Letters that may pass later: whose turn it is, over a scripted server.
 *
 * SPDX-License-Identifier: MIT */
#include "load/loader_later.h"

#include "base/clock.h"
#include "load/storing.h"

/* The answers to the reading of letters: a letter of rule a, and a letter of rule b that is older. The
 * choice of letters behind 1000000007, which finds none, has that number as parameter. */
#define LETTER_OF(rule, topic, id) \
    "ROWS:" id "|1|1|" rule "|" topic "|\\x31|1|f|f|\\x|why|23503|f|client|\\N|1|0|t"
#define LETTER_OF_A LETTER_OF("a", "\\x612f78", "1000000007")
#define LETTER_OF_B LETTER_OF("b", "\\x622f78", "3")

static void say_letters(struct storing *storing)
{
    static const struct script_line lines[] = {
        {"pg_try_advisory_xact_lock", NULL, "ROWS:t", 0},
        {"array_agg(s.id", "1000000007", "ROWS:\\N", 0},
        {"array_agg(s.id", NULL, "ROWS:{1}", 0},
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        pg_script_add(&storing->script, lines[i]);
    }
    for (int rule = 0; rule < STORING_RULES; rule++) {
        storing->options[rule].retry_for_ms = INT64_MAX / 1000;
    }
}

static struct loader *loader_over(struct storing *storing)
{
    struct loader *loader = memory_alloc(sizeof(*loader));

    loader->options.journal = storing->journal;
    loader->connection = storing->connection;
    loader->ruleset = storing->ruleset;
    loader->mapper = storing->mapper;
    loader->targets = storing->targets;
    loader->later = (struct loader_later){.letters = LATER_LETTERS_MAX};
    return loader;
}

/* Rule a is parked while its letters are tried. The letters of rule b are all tried in the same
 * round, also those that are older than the last letter of a. */
static void test_rule_is_parked_between_portions(void)
{
    struct storing storing;

    storing_start(&storing);
    struct loader *loader = loader_over(&storing);

    say_letters(&storing);
    storing_say(&storing, "order by d.id", NULL, LETTER_OF_A, 1);
    storing_say(&storing, "order by d.id", NULL, LETTER_OF_B, 1);
    storing_say(&storing, "order by d.id", NULL, "TAG:SELECT 0", 0);
    loader_retry_later(loader);
    CHECK_INT_EQ(pg_script_seen(&storing.script, "INTO public.a"), 1);
    CHECK_INT_EQ(loader->later.after_id, 1000000007);
    rule_targets_park(storing.targets, 0, "denied", "42501");
    loader_retry_later(loader);
    CHECK_INT_EQ(loader->later.rule, 1);
    CHECK_INT_EQ(pg_script_seen(&storing.script, "INTO public.b"), 1);
    free(loader->later.left);
    free(loader);
    storing_stop(&storing);
}

/* A round ends behind the last rule. The pause doubles while nothing passes. */
static void test_pauses(void)
{
    static const int64_t pauses_ms[] = {5000, 10000, 20000, 40000, 80000, 160000, 300000, 300000};
    struct storing storing;

    storing_start(&storing);
    struct loader *loader = loader_over(&storing);

    for (size_t i = 0; i < sizeof(pauses_ms) / sizeof(pauses_ms[0]); i++) {
        loader->later.next_ms = 0;
        loader_retry_later(loader); /* no rule has retry_for */
        CHECK_INT_EQ(loader->later.pause_ms, pauses_ms[i]);
        CHECK(loader->later.next_ms > clock_monotonic_ms());
    }
    loader->later.next_ms = 0;
    loader->later.stored = true;
    loader_retry_later(loader);
    CHECK_INT_EQ(loader->later.pause_ms, pauses_ms[0]);
    CHECK_INT_EQ(pg_script_seen(&storing.script, "order by d.id"), 0);
    free(loader->later.left);
    free(loader);
    storing_stop(&storing);
}

/* A letter of a part is tried when the rest of its batch is stored, not before. */
static void test_rest_of_the_batch_comes_first(void)
{
    struct storing storing;

    storing_start(&storing);
    struct loader *loader = loader_over(&storing);

    say_letters(&storing);
    storing.options[0].retry_for_ms = storing.options[1].retry_for_ms = 0;
    storing_say(&storing, "order by d.id", NULL, LETTER_OF_A, 1);
    storing_say(&storing, "order by d.id", NULL, "TAG:SELECT 0", 0);
    loader->batch = storing.batch;
    loader->tried_to = 2;
    loader_retry_later(loader); /* asks which rules have letters */
    storing.batch->rules[0].waiting = 1;
    loader->stored = 1;
    loader_later_committed(loader);
    CHECK(loader->later.of_part && loader->later.left[0] && !loader->later.left[1]);
    loader->later.next_ms = 0;
    loader_retry_later(loader);
    CHECK_INT_EQ(pg_script_seen(&storing.script, "order by d.id"), 0);
    storing.batch->rules[0].waiting = 0;
    loader->stored = 2;
    loader_later_committed(loader);
    CHECK(!loader->later.of_part);
    loader_retry_later(loader);
    CHECK_INT_EQ(pg_script_seen(&storing.script, "INTO public.a"), 1);
    loader_retry_later(loader);
    CHECK(!loader->later.left[0]);
    free(loader->later.left);
    free(loader);
    storing_stop(&storing);
}

UNIT_MAIN("load/loader_later",
          {"a rule is parked between portions", test_rule_is_parked_between_portions},
          {"pauses", test_pauses},
          {"rest of the batch comes first", test_rest_of_the_batch_comes_first})
