/*
 * rule_turns: which rule that is set aside is looked at, or has letters stored, next. Rules take
 * turns, so that one with many letters does not keep the others waiting. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_RULE_TURNS_H
#define MQTT2PG_LOAD_RULE_TURNS_H

#include <stdint.h>

#include "load/rule_groups.h"

/* From rule `first` on, the next rule that is healing, or waits and is due at `now_ms` (monotonic);
 * -1 when there is none. Of a group that heals the first rule has a turn. */
int rule_turns_next(const struct rule_groups *groups, unsigned first, int64_t now_ms);

/* Milliseconds until rule_turns_next() may find one; -1 = nothing is set aside. */
int64_t rule_turns_wait(const struct rule_groups *groups, int64_t now_ms);

/* Milliseconds until the table of a rule that is set aside for this SQLSTATE (NULL: none) is looked
 * at. A look at rows that take too long keeps the other rules waiting, so such looks get rarer. */
int64_t rule_turns_look_ms(const struct rule_target *target, const char *sqlstate);

#endif
