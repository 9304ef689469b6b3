/*
 * table_search: finds the tables of rules in the catalog, and makes those that are to be made.
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

/* One question for all tables. A table that can't be made has failed, with the reason.
 * OUTCOME_RETRY: the connection is lost; table_search_free() is still to be called. */
enum outcome table_search_run(struct pg_connection *connection, struct table_search *search,
                              struct pg_failure *failure) MUST_CHECK;

/* Frees the tables found that nobody has taken. */
void table_search_free(struct table_search *search);

/* Can this rule's rows go to what was found for it? If not, *error says why. */
bool table_search_usable(const struct pg_found *found, const struct rule *rule,
                         struct error *error);

/* Do both shapes have the same columns, as far as rows are made by them? */
bool table_search_same(const struct table_shape *left, const struct table_shape *right);

#endif
