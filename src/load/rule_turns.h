/*
 * rule_turns: among the rules that are set aside, chooses the next whose table is looked at or
 * whose letters are stored. Rules take turns, so that one with many letters does not keep the
 * others waiting. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_RULE_TURNS_H
#define MQTT2PG_LOAD_RULE_TURNS_H

#include <stdint.h>

#include "load/rule_groups.h"

/* From rule `first` on, the next rule that is healing, or waits and is due at `now_ms` (monotonic);
 * -1 when there is none. In a group that heals, only the first rule gets a turn. */
int rule_turns_next(const struct rule_groups *groups, unsigned first, int64_t now_ms);

/* Milliseconds until rule_turns_next() may find a rule; -1 = no rule is set aside. */
int64_t rule_turns_wait(const struct rule_groups *groups, int64_t now_ms);

/* Milliseconds until the next look at the table of a rule that is set aside for this SQLSTATE
 * (NULL: none). A look at rows that take too long keeps the other rules waiting, so such looks get
 * rarer. */
int64_t rule_turns_look_ms(const struct rule_target *target, const char *sqlstate);

#endif
