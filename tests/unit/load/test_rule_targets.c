/* The states of a rule and its turn, over a scripted server. SPDX-License-Identifier: MIT */
#include "load/rule_targets.h"
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

UNIT_MAIN("load/rule_targets", {"turns", test_turns}, {"wait", test_wait})
