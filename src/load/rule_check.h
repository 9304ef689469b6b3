/*
 * rule_check: compares a rule with the catalog, for `check --database`, and reports in one go all
 * that would fail later.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_RULE_CHECK_H
#define MQTT2PG_LOAD_RULE_CHECK_H

#include <stdbool.h>

#include "base/problems.h"
#include "core/table_shape.h"
#include "load/rule.h"
#include "pg/pg_connection.h"

/* Reports to `problems`, at the rule's places: a missing table or column, a generated column, NOT
 * NULL without a source, a missing unique index for on_conflict, missing privileges (also on
 * sequences), an expression whose values or whose "::type" can't become the column's. A rule
 * without these mistakes is tried: its statements run over an empty batch in a transaction that is
 * rolled back, together with the CREATE TABLE of create = true. OUTCOME_RETRY when the database
 * could not be asked. */
enum outcome rule_check(const struct rule *rule, struct pg_connection *connection,
                        struct problems *problems, struct pg_failure *failure) MUST_CHECK;

/* Does every row of this rule fail because a column that it leaves out has a default from a
 * sequence that the role may not use? (A statement without rows would succeed.) */
bool rule_check_lacks_sequence(const struct rule *rule, const struct table_shape *shape);

#endif
