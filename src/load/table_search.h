/*
 * table_search: finds the tables of rules in the catalog, and makes missing ones for rules with
 * create = true.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_TABLE_SEARCH_H
#define MQTT2PG_LOAD_TABLE_SEARCH_H

#include "load/ruleset.h"
#include "pg/pg_catalog.h"

/* Rules whose tables are looked for, and what was found for each of them. */
struct table_search {
    const struct ruleset *ruleset; /* borrowed, like the rules */
    const unsigned *rules;         /* numbers in the ruleset; none has SQL of its own */
    size_t count;
    struct pg_found *found; /* the caller's array; its tables are table_search_free()'s */
};

/* Sends one query for all tables. For a table that can't be made, `found` has the reason.
 * OUTCOME_RETRY: the connection is lost; table_search_free() is still to be called. */
enum outcome table_search_run(struct pg_connection *connection, struct table_search *search,
                              struct pg_failure *failure) MUST_CHECK;

/* Frees the found tables that the caller has not taken. */
void table_search_free(struct table_search *search);

/* Can this rule's rows go to what was found for it? If not, *error says why. */
bool table_search_usable(const struct pg_found *found, const struct rule *rule,
                         struct error *error);

/* Do both shapes have the same columns, as far as the encoding of rows depends on them? */
bool table_search_same(const struct table_shape *left, const struct table_shape *right);

#endif
