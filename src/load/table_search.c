/* SPDX-License-Identifier: MIT */
#include "load/table_search.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "pg/pg_quote.h"
#include "pg/target.h"

/*
 * A new table is made in the first schema of search_path that is not the bridge's own. For a role
 * called mqtt2pg the schema mqtt2pg is "$user", which comes before public: a user's table would be
 * made among the bridge's own tables, where no other role finds it. The path is set for the
 * transaction only, that is, for the message in which CREATE TABLE is sent.
 */
static void append_path(struct buf *sql, const char *schema)
{
    buf_append_text(
        sql, "select pg_catalog.set_config('search_path', path, true) from (select "
             "pg_catalog.string_agg(pg_catalog.quote_ident(s), ', ' order by n) as path from "
             "pg_catalog.unnest(pg_catalog.current_schemas(false)) with ordinality as p(s, n) "
             "where s <> ");
    pg_quote_literal(sql, slice_of(schema));
    buf_append_text(sql, ") as others where path is not null;\n");
}

/* CREATE TABLE, or the missing columns of one that is `there`, for a rule with create = true; a
 * refusal is the rule's problem, not the connection's. */
static enum outcome create_table(struct pg_connection *connection, const struct rule *compiled,
                                 bool there, struct pg_failure *failure)
{
    struct buf sql = {0};
    enum outcome outcome;

    if (!there) {
        append_path(&sql, pg_schema(connection));
    }
    target_create_sql(&sql, compiled->options, compiled->declared);
    outcome = pg_run(connection, buf_string(&sql), failure);
    buf_fini(&sql);
    return outcome;
}

/* Does the table have every column that the rule writes? Then create = true has nothing to do. */
static bool has_columns(const struct rule *rule, const struct pg_table *table)
{
    for (size_t i = 0; i < rule->options->compute_count; i++) {
        if (table_shape_find(table->shape, slice_of(rule->computed_names[i])) == NULL) {
            return false;
        }
    }
    for (size_t i = 0; i < rule->column_count; i++) {
        if (table_shape_find(table->shape, slice_of(rule->column_names[i])) == NULL) {
            return false;
        }
    }
    return true;
}

/* Asks the catalog for all tables that have a name. OUTCOME_RETRY only for a lost connection, as
 * everywhere below. */
static enum outcome find_tables(struct pg_connection *connection, struct table_search *search,
                                struct pg_failure *failure)
{
    const char **names = memory_alloc((search->count + 1) * sizeof(*names));
    enum outcome outcome;

    for (size_t i = 0; i < search->count; i++) {
        assert(search->rules[i] < search->ruleset->count);
        names[i] = search->ruleset->rules[search->rules[i]]->options->table.text;
    }
    outcome = pg_catalog_tables(connection, names, search->count, search->found, failure);
    free(names);
    return outcome;
}

/* Makes the tables that rules with `create` need. *made says whether the catalog must be asked
 * again. */
static enum outcome create_tables(struct pg_connection *connection, struct table_search *search,
                                  bool *made, struct pg_failure *failure)
{
    for (size_t i = 0; i < search->count; i++) {
        struct pg_found *found = &search->found[i];
        const struct rule *compiled = search->ruleset->rules[search->rules[i]];

        if (!compiled->options->create || found->failed ||
            (found->table != NULL && has_columns(compiled, found->table))) {
            continue;
        }
        if (create_table(connection, compiled, found->table != NULL, failure) == OUTCOME_OK) {
            *made = true;
        } else if (!pg_is_connected(connection)) {
            return OUTCOME_RETRY;
        } else {
            pg_table_free(found->table);
            *found = (struct pg_found){.failed = true, .failure = *failure};
        }
    }
    return OUTCOME_OK;
}

void table_search_free(struct table_search *search)
{
    for (size_t i = 0; i < search->count; i++) {
        pg_table_free(search->found[i].table);
        search->found[i].table = NULL;
    }
}

/* Asks the catalog again after tables were made or got columns: several rules may write one table.
 * A rule whose table could not be made keeps its failure. */
static enum outcome find_again(struct pg_connection *connection, struct table_search *search,
                               struct pg_failure *failure)
{
    struct table_search again = {search->ruleset, search->rules, search->count,
                                 memory_alloc(search->count * sizeof(*again.found))};
    enum outcome outcome = find_tables(connection, &again, failure);

    for (size_t i = 0; outcome == OUTCOME_OK && i < search->count; i++) {
        if (!search->found[i].failed) {
            pg_table_free(search->found[i].table);
            search->found[i] = again.found[i];
            again.found[i].table = NULL;
        }
    }
    table_search_free(&again);
    free(again.found);
    return outcome;
}

enum outcome table_search_run(struct pg_connection *connection, struct table_search *search,
                              struct pg_failure *failure)
{
    bool made = false;
    enum outcome outcome = find_tables(connection, search, failure);

    if (outcome == OUTCOME_OK) {
        outcome = create_tables(connection, search, &made, failure);
    }
    if (outcome == OUTCOME_OK && made) {
        outcome = find_again(connection, search, failure);
    }
    return outcome;
}

/* Compares all that a row's bytes depend on: with the same names, types, modifiers and NOT NULL, a
 * batch that was built for `left` fits `right`. */
bool table_search_same(const struct table_shape *left, const struct table_shape *right)
{
    if (left->count != right->count) {
        return false;
    }
    for (size_t i = 0; i < left->count; i++) {
        const struct column_shape *a = &left->columns[i], *b = &right->columns[i];
        if (strcmp(a->name, b->name) != 0 || a->type_oid != b->type_oid ||
            a->declared_oid != b->declared_oid || a->typmod != b->typmod ||
            a->not_null != b->not_null || a->generated != b->generated) {
            return false;
        }
    }
    return true;
}

bool table_search_usable(const struct pg_found *found, const struct rule *rule, struct error *error)
{
    const struct rule_options *options = rule->options;
    const char *state = "42501";

    if (found->failed) {
        error_set(error, OUTCOME_REJECT, "%s", found->failure.message);
        state = found->failure.sqlstate;
    } else if (found->table == NULL) {
        error_set(error, OUTCOME_REJECT, "table \"%s\" does not exist", options->table.text);
        state = "42P01";
    } else if (!found->table->can_insert) {
        error_set(error, OUTCOME_REJECT,
                  "no permission to insert into \"%s\": grant insert on it to this role",
                  options->table.text);
    } else if (pg_table_denied(found->table, rule->column_names, rule->column_count) != NULL) {
        const char *column = pg_table_denied(found->table, rule->column_names, rule->column_count);

        error_set(error, OUTCOME_REJECT,
                  "no permission to insert into column \"%s\" of \"%s\": grant insert (%s) on it "
                  "to this role",
                  column, options->table.text, column);
    } else {
        return true;
    }
    snprintf(error->sqlstate, sizeof(error->sqlstate), "%s", state);
    return false;
}
