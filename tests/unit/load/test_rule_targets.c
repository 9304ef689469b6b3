/* The states of a rule and its turn, over a scripted server. SPDX-License-Identifier: MIT */
#include "load/rule_targets.h"

#include "base/health.h"
#include "base/metrics.h"
#include "load/storing.h"

/* Rules whose letters are being stored take turns, however long each has letters. */
static void test_turns(void)
{
    struct storing storing;

    storing_start(&storing);
    CHECK_INT_EQ(rule_targets_due(storing.targets), -1);
    for (unsigned rule = 0; rule < STORING_RULES; rule++) {
        rule_targets_hold(storing.targets, rule, "locked", "55P03");
        CHECK(rule_targets_aside(storing.targets, rule));
    }
    CHECK_INT_EQ(rule_targets_due(storing.targets), -1);
    for (unsigned rule = 0; rule < STORING_RULES; rule++) {
        rule_targets_resume(storing.targets, rule);
        CHECK(rule_targets_healing(storing.targets, rule));
    }
    CHECK_INT_EQ(rule_targets_due(storing.targets), 0);
    CHECK_INT_EQ(rule_targets_due(storing.targets), 1);
    CHECK_INT_EQ(rule_targets_due(storing.targets), 0);
    storing_stop(&storing);
}

/* A held rule is looked at later, not now; the wait says how much later. */
static void test_wait(void)
{
    struct storing storing;

    storing_start(&storing);
    CHECK_INT_EQ(rule_targets_wait(storing.targets), -1);
    rule_targets_park(storing.targets, 1, "no table", "42P01");
    CHECK(rule_targets_wait(storing.targets) > 0);
    rule_targets_hold(storing.targets, 0, "locked", "55P03");
    rule_targets_resume(storing.targets, 0);
    CHECK_INT_EQ(rule_targets_wait(storing.targets), 0);
    storing_stop(&storing);
}

/* A retry of letters inside the service reads the tables too; the loader's alarms stay. */
static void test_silent(void)
{
    struct storing storing;
    struct rule_targets *beside;
    struct pg_failure failure = {.message = ""};
    struct health_parked parked;

    storing_start(&storing);
    rule_targets_park(storing.targets, 0, "no table", "42P01");
    beside = rule_targets_new(storing.ruleset, storing.mapper);
    rule_targets_silence(beside);
    CHECK_INT_EQ(rule_targets_read(beside, storing.connection, &failure), OUTCOME_OK);
    CHECK(health_parked("a", &parked));
    rule_targets_park(beside, 0, "another reason", "42501");
    rule_targets_park(beside, 1, "another reason", "42501");
    CHECK(rule_targets_aside(beside, 1));
    CHECK(health_parked("a", &parked) && !health_parked("b", &parked));
    CHECK(health_parked("a", &parked) && strcmp(parked.reason, "no table") == 0);
    rule_targets_free(beside);
    CHECK(health_parked("a", &parked));
    CHECK_INT_EQ(metric_rule_get(storing.ruleset->rules[0]->metrics, RULE_METRIC_PARKED), 1);
    storing_stop(&storing);
}

/* Both rules write to a table that is dropped and created anew. The rule that was parked meanwhile
 * takes the other one, which had no message, with it: its rows must not overtake the letters. */
static void test_table_is_made_anew(void)
{
    struct storing storing;
    struct pg_failure failure = {.message = ""};

    storing_start(&storing);
    storing.options[1].table.text = "public.a";
    pg_script_clear(&storing.script);
    storing_say(&storing, "to_regclass(r.name)", NULL, "ROWS:1|300|public|a|r|t|t|t|t", 0);
    storing_say(&storing, "attrelid", NULL, "ROWS:300|n|text|25|\\N|25|-1|f|f|f|\\N|\\N|text|25|f",
                0);
    rule_targets_park(storing.targets, 0, "no table", "42P01");
    CHECK_INT_EQ(rule_targets_look(storing.targets, storing.connection, 0, &failure), OUTCOME_OK);
    for (unsigned rule = 0; rule < STORING_RULES; rule++) {
        CHECK(rule_targets_healing(storing.targets, rule));
        CHECK_INT_EQ(rule_targets_get(storing.targets, rule)->table->oid, 300);
    }
    storing_stop(&storing);
}

/* The table of both rules is gone, or may not be written any more: the other one is parked with the
 * rule that noticed. When only a column of one rule is gone, the other one goes on. */
static void test_table_is_gone(void)
{
    static const struct {
        const char *table, *columns;
        bool together;
    } cases[] = {
        {"ROWS:", "ROWS:", true},
        {"ROWS:1|300|public|a|r|f|f|f|f", "ROWS:300|n|text|25|\\N|25|-1|f|f|f|\\N|\\N|text|25|f",
         true},
        {"ROWS:1|300|public|a|r|t|t|t|t", "ROWS:300|x|text|25|\\N|25|-1|f|f|f|\\N|\\N|text|25|f",
         false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct storing storing;
        struct pg_failure failure = {.message = ""};
        bool changed = false;

        UNIT_CASE("%s", cases[i].table);
        storing_start(&storing);
        storing.options[1].table.text = "public.a";
        pg_script_clear(&storing.script);
        storing_say(&storing, "to_regclass(r.name)", NULL, "ROWS:1|300|public|a|r|t|t|t|t", 0);
        storing_say(&storing, "attrelid", NULL,
                    "ROWS:300|n|text|25|\\N|25|-1|f|f|f|\\N|\\N|text|25|f", 0);
        rule_targets_park(storing.targets, 0, "no table", "42P01");
        CHECK_INT_EQ(rule_targets_look(storing.targets, storing.connection, 0, &failure),
                     OUTCOME_OK);
        CHECK(rule_targets_healing(storing.targets, 1));
        pg_script_clear(&storing.script);
        storing_say(&storing, "to_regclass(r.name)", NULL, cases[i].table, 0);
        storing_say(&storing, "attrelid", NULL, cases[i].columns, 0);
        CHECK_INT_EQ(
            rule_targets_refresh(storing.targets, storing.connection, 0, &changed, &failure),
            OUTCOME_OK);
        CHECK(changed);
        CHECK_INT_EQ(rule_targets_get(storing.targets, 0)->state, RULE_PARKED);
        CHECK_INT_EQ(rule_targets_get(storing.targets, 1)->state,
                     cases[i].together ? RULE_PARKED : RULE_HEALING);
        storing_stop(&storing);
    }
    unit_case[0] = '\0';
}

UNIT_MAIN("load/rule_targets", {"turns", test_turns}, {"wait", test_wait}, {"silent", test_silent},
          {"table is made anew", test_table_is_made_anew}, {"table is gone", test_table_is_gone})
