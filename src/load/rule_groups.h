/*
 * rule_groups: rules that write to the same table form a group, because rows of one topic must be
 * stored in the order of delivery, whichever rules made them. Pure: functions over the targets of
 * all rules.
 *
 *   held      a lock or a full disk that stops one rule of a group holds all of it
 *   parked    each rule alone: its columns may not fit while those of the others do; all of them
 *             when the table is gone or denied
 *   healing   together: the letters of all are stored in the order of their ids, and new messages
 *             of each wait behind them, also of a rule that worked
 *
 * A rule with SQL of its own, or whose table is missing, is in no group.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_RULE_GROUPS_H
#define MQTT2PG_LOAD_RULE_GROUPS_H

#include "load/rule_targets.h"

/* The targets of all rules, in the order of the ruleset; borrowed. */
struct rule_groups {
    struct rule_target *list;
    unsigned count;
};

/* Are both the same rule, or in one group? */
bool rule_groups_same(const struct rule_target *left, const struct rule_target *right);

/* Do the rules write to more than one table? A rule that is alone counts as a table. */
bool rule_groups_several(const struct rule_groups *groups);

/* Sets `place` of all rules: which of them share a table, and which also write it in the same
 * way. */
void rule_groups_place(const struct rule_groups *groups);

/* The table of this rule works again. The rule becomes HEALING, and so does each rule of its group
 * that works, or that waits and fits the table. When one of them was held, all become RESUMING
 * instead. */
void rule_groups_heal(const struct rule_groups *groups, unsigned rule);

/* When the rule's group is healing, makes the rule heal with it: its new messages must not be
 * stored before the group's letters. */
void rule_groups_join(const struct rule_groups *groups, unsigned rule);

/* May two rules write to one table, judging by its name? Only the catalog is certain. */
bool rule_groups_may_share(const struct rule *left, const struct rule *right);

/* The held rules of this rule's group become RESUMING. */
void rule_groups_resume(const struct rule_groups *groups, unsigned rule);

/* Fills `found`, which has room for all rules, with the rules of the group of `rule` that are
 * healing, in ascending order. Returns how many. */
size_t rule_groups_healing(const struct rule_groups *groups, unsigned rule, unsigned *found);

/* Is this healing rule the first one of its group? */
bool rule_groups_leads(const struct rule_groups *groups, unsigned rule);

/* Asserts that a rule which makes rows has a plan and a target for them, and that no rule works
 * while another one of its group heals. */
void rule_groups_check(const struct rule_groups *groups);

#endif
