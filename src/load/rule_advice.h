/*
 * rule_advice: what is legal in a rule and surely not meant. Warnings only, and only where it is
 * certain. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_RULE_ADVICE_H
#define MQTT2PG_LOAD_RULE_ADVICE_H

#include "base/problems.h"
#include "load/rule.h"

/* A rule by itself: members of a payload that has none, what only MQTT 5 brings, columns that are
 * always null, conditions that never hold, … */
void rule_advise(const struct rule *rule, bool mqtt5, struct problems *problems);

/* Rules among each other: acknowledgments that come back as messages, two rules that store the
 * same. */
void rules_advise(struct rule *const *rules, size_t count, struct problems *problems);

#endif
