/* Rules that write to one table: held and healed together, over a scripted server.
 *
 * SPDX-License-Identifier: MIT */
#include "load/rule_groups.h"

#include "load/storing.h"

/* The catalog says that both rules write to the table a. */
static void say_shared(struct storing *storing)
{
    static const struct script_line lines[] = {
        {"to_regclass(r.name)", "\"a\",\"public.a\"",
         "ROWS:1|100|public|a|r|t|t|t|t\n2|100|public|a|r|t|t|t|t", 0},
        {"to_regclass(r.name)", "a\"", "ROWS:1|100|public|a|r|t|t|t|t", 0},
    };

    storing->options[1].table.text = "public.a";
    pg_script_clear(&storing->script);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        pg_script_add(&storing->script, lines[i]);
    }
    storing_catalog(storing);
}

static void share_table(struct storing *storing)
{
    struct pg_failure failure = {.message = ""};

    storing_start(storing);
    say_shared(storing);
    CHECK_INT_EQ(rule_targets_read(storing->targets, storing->connection, &failure), OUTCOME_OK);
}

static void set_state(struct storing *storing, unsigned rule, enum rule_state state)
{
    if (state == RULE_PARKED) {
        rule_targets_park(storing->targets, rule, "does not fit", "42703");
    } else if (state == RULE_HELD) {
        rule_targets_hold(storing->targets, rule, "locked", "55P03");
    }
}

static void check_states(const struct storing *storing, enum rule_state a, enum rule_state b)
{
    CHECK_INT_EQ(rule_targets_get(storing->targets, 0)->state, a);
    CHECK_INT_EQ(rule_targets_get(storing->targets, 1)->state, b);
}

/* Rule a gets into trouble, then rule b; a look at one of them, then all letters are stored. */
static void test_states(void)
{
    static const struct {
        const char *what;
        enum rule_state a, b;           /* what happens to each; WORKS = nothing */
        enum rule_state then_a, then_b; /* then */
        unsigned looked_at;             /* whose table is looked at, and works */
        enum rule_state healing;        /* of both, then */
    } cases[] = {
        {"one is held: the other one, too", RULE_HELD, RULE_WORKS, RULE_HELD, RULE_HELD, 1,
         RULE_RESUMING},
        {"one does not fit: the other one works on, and waits while the letters are stored",
         RULE_WORKS, RULE_PARKED, RULE_WORKS, RULE_PARKED, 1, RULE_HEALING},
        {"both lost their table", RULE_PARKED, RULE_PARKED, RULE_PARKED, RULE_PARKED, 0,
         RULE_HEALING},
        {"one was held, the other one does not fit", RULE_HELD, RULE_PARKED, RULE_HELD, RULE_PARKED,
         1, RULE_RESUMING},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct storing storing;
        struct pg_failure failure;
        unsigned group[STORING_RULES];

        UNIT_CASE("%s", cases[i].what);
        share_table(&storing);
        set_state(&storing, 0, cases[i].a);
        set_state(&storing, 1, cases[i].b);
        check_states(&storing, cases[i].then_a, cases[i].then_b);
        CHECK_INT_EQ(
            rule_targets_look(storing.targets, storing.connection, cases[i].looked_at, &failure),
            OUTCOME_OK);
        check_states(&storing, cases[i].healing, cases[i].healing);
        CHECK_INT_EQ(rule_targets_group(storing.targets, 1, group), 2);
        CHECK_INT_EQ(rule_targets_due(storing.targets), 0); /* one turn for both */
        CHECK_INT_EQ(rule_targets_due(storing.targets), 0);
        CHECK_INT_EQ(rule_targets_unpark(storing.targets, storing.connection, 0, &failure),
                     OUTCOME_OK);
        check_states(&storing, RULE_WORKS, RULE_WORKS);
        storing_stop(&storing);
    }
    UNIT_CASE("%s", "");
}

/* The table is missing, so nobody knows that both rules write to it, before it is there again. */
static void test_table_comes_back(void)
{
    struct storing storing;
    struct pg_failure failure = {.message = ""};

    share_table(&storing);
    pg_script_clear(&storing.script);
    storing_say(&storing, "to_regclass(r.name)", NULL, "TAG:SELECT 0", 0);
    CHECK_INT_EQ(rule_targets_read(storing.targets, storing.connection, &failure), OUTCOME_OK);
    check_states(&storing, RULE_PARKED, RULE_PARKED);
    say_shared(&storing);
    CHECK_INT_EQ(rule_targets_look(storing.targets, storing.connection, 1, &failure), OUTCOME_OK);
    check_states(&storing, RULE_HEALING, RULE_HEALING);
    storing_stop(&storing);
}

/* Another session holds a letter of rule b: both wait, so that none of a's messages overtakes it. */
static void test_letters_left(void)
{
    struct storing storing;
    struct pg_failure failure;

    share_table(&storing);
    set_state(&storing, 0, RULE_PARKED);
    CHECK_INT_EQ(rule_targets_look(storing.targets, storing.connection, 0, &failure), OUTCOME_OK);
    storing_say(&storing, "as first", NULL, "ROWS:2", 0);
    CHECK_INT_EQ(rule_targets_unpark(storing.targets, storing.connection, 0, &failure), OUTCOME_OK);
    check_states(&storing, RULE_PARKED, RULE_PARKED);
    storing_stop(&storing);
}

/* A rule that is parked again while both heal leaves the other one healing. */
static void test_one_is_parked_again(void)
{
    struct storing storing;
    struct pg_failure failure;
    unsigned group[STORING_RULES];

    share_table(&storing);
    set_state(&storing, 0, RULE_PARKED);
    CHECK_INT_EQ(rule_targets_look(storing.targets, storing.connection, 0, &failure), OUTCOME_OK);
    set_state(&storing, 0, RULE_PARKED);
    check_states(&storing, RULE_PARKED, RULE_HEALING);
    CHECK_INT_EQ(rule_targets_group(storing.targets, 1, group), 1);
    CHECK_INT_EQ(group[0], 1);
    storing_stop(&storing);
}

/* After a start with parked letters of rule b alone, rule a waits for them. */
static void test_read_with_letters(void)
{
    struct storing storing;
    struct pg_failure failure;

    share_table(&storing);
    storing_say(&storing, "as first", NULL, "ROWS:2", 0);
    CHECK_INT_EQ(rule_targets_read(storing.targets, storing.connection, &failure), OUTCOME_OK);
    check_states(&storing, RULE_HEALING, RULE_HEALING);
    storing_stop(&storing);
}

static void test_names(void)
{
    static const struct {
        const char *left, *right;
        bool same;
    } cases[] = {
        {"t", "t", true},   {"t", "public.t", true}, {"public.t", "\"T\"", true},
        {"t", "u", false},  {"a.t", "a.tt", false},  {"\"public\".\"t\"", "t", true},
        {"t", NULL, false}, {NULL, NULL, false},     {"\"", "t", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct rule_options left = {.table.text = cases[i].left};
        const struct rule_options right = {.table.text = cases[i].right};

        UNIT_CASE("%s and %s", cases[i].left, cases[i].right);
        CHECK_INT_EQ(rule_groups_may_share(&(struct rule){.options = &left},
                                           &(struct rule){.options = &right}),
                     cases[i].same);
    }
    UNIT_CASE("%s", "");
}

UNIT_MAIN("load/rule_groups", {"states", test_states},
          {"the table comes back", test_table_comes_back}, {"letters left", test_letters_left},
          {"one is parked again", test_one_is_parked_again},
          {"letters at the start", test_read_with_letters}, {"names", test_names})
