/*
 * rule_advice: warns of settings that are legal in a rule and certainly a mistake. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_RULE_ADVICE_H
#define MQTT2PG_LOAD_RULE_ADVICE_H

#include "base/problems.h"
#include "load/rule.h"

/* Looks at one rule: members of a payload that has none, facts that only MQTT 5 has, columns that
 * are always null, conditions that never hold, … */
void rule_advise(const struct rule *rule, bool mqtt5, struct problems *problems);

/* Compares all rules: acknowledgments that come back as messages, two rules that store the same
 * rows. */
void rules_advise(struct rule *const *rules, size_t count, struct problems *problems);

#endif
