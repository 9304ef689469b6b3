/*
 * explain_advice: what `explain` says when a message did not do what a person expected: the nearest
 * rule when none matches, times that can't be right, a column of a type that takes no such value.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_EXPLAIN_ADVICE_H
#define MQTT2PG_LOAD_EXPLAIN_ADVICE_H

#include "base/buf.h"
#include "load/mapper.h"
#include "load/ruleset.h"

/* Appends which rule's topic comes nearest, and the level that differs; nothing without rules. */
void explain_append_nearest(struct buf *out, const struct ruleset *ruleset, struct slice topic);

/* Appends a line for each column with a time before 1990 or more than a day ahead in any of its
 * rows: the first such time. */
void explain_append_odd_times(struct buf *out, const struct mapped *mapped);

/* When `reason` says that a value does not fit a column's type, and a wider type takes it, appends
 * the ALTER TABLE that gives the column that type; else nothing. */
void explain_append_wider_type(struct buf *out, const struct rule *rule, const char *reason);

#endif
