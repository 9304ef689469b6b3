/*
 * lineage: finds the rule of today that continues a rule of an earlier configuration. An edit may
 * rename rules, or give one the name of another. So a rule is recognized by its mark, a number made
 * of all settings that decide which rows it makes of a message; by its name only when no rule has
 * the mark. Pure.
 *
 * Letters that the service stores by itself keep the marks of the rules of their time, as members
 * of `properties`:
 *
 *   "rules":["a","b"],"marks":["…","…"],"mark":"…","table":"t"
 *
 * "rules" are all rules that took the message, with their "marks"; "mark" and "table" are those of
 * the letter's own rule. A rule with SQL of its own has no table.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LINEAGE_H
#define MQTT2PG_LOAD_LINEAGE_H

#include "load/mapper.h"

/* Appends these members, without braces, for a letter of `rule` and the message that the mapper has
 * found rules for. */
void lineage_append(struct buf *json, const struct ruleset *ruleset, const struct mapper *mapper,
                    const struct rule *rule);

/* A rule of the time of a letter. An empty mark: not known. */
struct former_rule {
    struct slice name;
    struct slice mark;
};

/* All rules that took a letter's message, with \x1f between their names, and between their marks. A
 * letter of an earlier version has no marks, or neither. */
struct former_rules {
    struct slice names;
    struct slice marks;
};

/* Takes the first rule off; false when there is none. */
bool lineage_next(struct former_rules *all, struct former_rule *first);

/* The rule of today that goes on with `former`, one of `all`; NULL: none. A rule that goes on with
 * another one of them is not this one's successor, although it may have its name or its mark. */
const struct rule *lineage_successor(const struct ruleset *ruleset,
                                     const struct former_rule *former,
                                     const struct former_rules *all);

#endif
