/*
 * added_columns: columns that the bridge itself gave to tables, for rules with add_columns = true:
 * kept in the file "columns" of the journal's directory, so that the next process fills them too.
 *
 * A column belongs to a rule and its table. Rules get them as if they stood in the configuration;
 * ruleset_compile() sees no difference. The texts of a column that is dropped stay until the end,
 * because rules may still borrow them. Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_ADDED_COLUMNS_H
#define MQTT2PG_LOAD_ADDED_COLUMNS_H

#include "base/outcome.h"
#include "core/rule_options.h"
#include "core/table_shape.h"

/* The most added columns of one rule. In a payload with more new keys, the keys are data, not
 * names. */
enum { ADDED_COLUMNS_MAX = 100 };

struct added_columns;

/* Reads the file of this directory; a file that can't be read is reported in the log, once. */
struct added_columns *added_columns_load(const char *directory);
void added_columns_free(struct added_columns *added);

/* May the rule get one more? */
bool added_columns_have_room(struct added_columns *added, const struct rule_options *rule);

/* Adds a column unless the rule has it already. False: the rule has ADDED_COLUMNS_MAX. */
bool added_columns_add(struct added_columns *added, const struct rule_options *rule,
                       const char *column, const char *expression);

/* Forgets the rule's columns that its table does not have any more, because a person has dropped
 * them: the rule would ask for them for ever. Returns how many. A payload that still has the key
 * makes the column anew. */
size_t added_columns_drop(struct added_columns *added, const struct rule_options *rule,
                          const struct table_shape *shape);

/* How often the list has changed. */
unsigned added_columns_changes(struct added_columns *added);

/* Keys that must not become columns until added_columns_forgive(), because PostgreSQL has refused
 * the column. */
void added_columns_refuse(struct added_columns *added, const char *rule, const char *expression);
bool added_columns_refused(struct added_columns *added, const char *rule, const char *expression);
void added_columns_forgive(struct added_columns *added);

/* OUTCOME_RETRY: the file was not written, so the next process will not know the newest columns. */
enum outcome added_columns_save(struct added_columns *added, const char *directory,
                                struct error *error) MUST_CHECK;

/* A copy of the rules with the columns that were added to theirs; freed by added_columns_release().
 * Borrows the rules and this list. */
struct rule_options *added_columns_extend(struct added_columns *added,
                                          const struct rule_options *rules, size_t count);
void added_columns_release(struct rule_options *extended, size_t count);

#endif
