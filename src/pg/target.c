/* SPDX-License-Identifier: MIT */
#include "pg/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "pg/pg_quote.h"
#include "pg/pg_statements.h"

/* Numbers the staged rows in the order in which they came, for a table does not keep it. */
enum { SELECT_COLUMNS_MAX = 1600 }; /* PostgreSQL takes 1664 (MaxTupleAttributeNumber) */

#define POSITION "mqtt2pg_position"
#define POSITION_TYPE "bigint GENERATED ALWAYS AS IDENTITY (CACHE 100000)"

/* How staged rows reach the table. */
struct staging {
    const struct rule_options *rule;
    const struct row_plan *plan;
    const char *relation; /* quoted; NULL for a rule with `sql` */
};

static struct slice column_name(const struct row_plan *plan, size_t i)
{
    return slice_of(plan->columns[i]->name);
}

static void append_columns(struct buf *sql, const struct row_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        buf_append_text(sql, i > 0 ? ", " : "");
        pg_quote_identifier(sql, column_name(plan, i));
    }
}

static void append_key(struct buf *sql, const struct rule_options *rule)
{
    for (size_t i = 0; i < rule->key_count; i++) {
        buf_append_text(sql, i > 0 ? ", " : "");
        pg_quote_identifier(sql, slice_of(rule->key[i].text));
    }
}

static bool is_key(const struct rule_options *rule, const char *name)
{
    for (size_t i = 0; i < rule->key_count; i++) {
        if (strcmp(rule->key[i].text, name) == 0) {
            return true;
        }
    }
    return false;
}

static char *copy_sql(const struct row_plan *plan, struct slice relation)
{
    struct buf sql = {0};
    buf_printf(&sql, "COPY %.*s (", SLICE_ARGS(relation));
    append_columns(&sql, plan);
    buf_printf(&sql, ") FROM STDIN (FORMAT %s)", plan->format == COPY_BINARY ? "binary" : "text");
    char *text = memory_copy(buf_slice(&sql));
    buf_fini(&sql);
    return text;
}

/* CREATE TEMP TABLE batch. A rule's own `sql` sees its columns and nothing else. */
static char *before_sql(const struct staging *staging)
{
    struct buf sql = {0};
    buf_append_text(&sql, "CREATE TEMP TABLE batch (");
    for (size_t i = 0; i < staging->plan->count; i++) {
        const char *type = staging->plan->columns[i]->type_name;
        buf_append_text(&sql, i > 0 ? ", " : "");
        pg_quote_identifier(&sql, column_name(staging->plan, i));
        buf_printf(&sql, " %s", type != NULL && type[0] != '\0' ? type : "text");
    }
    if (staging->rule->sql.text == NULL) {
        buf_append_text(&sql, ", " POSITION " " POSITION_TYPE);
    }
    buf_append_text(&sql, ") ON COMMIT DROP");
    char *text = memory_copy(buf_slice(&sql));
    buf_fini(&sql);
    return text;
}

/* Appends "k1 IS NULL OR k2 IS NULL" for those columns of the key that may be null; false when none
 * may. */
static bool append_null_key(struct buf *sql, const struct staging *staging)
{
    bool any = false;
    for (size_t i = 0; i < staging->plan->count; i++) {
        const struct column_shape *column = staging->plan->columns[i];
        if (is_key(staging->rule, column->name) && !column->not_null) {
            buf_append_text(sql, any ? " OR " : "");
            pg_quote_identifier(sql, slice_of(column->name));
            buf_append_text(sql, " IS NULL");
            any = true;
        }
    }
    return any;
}

/* Of staged rows with one key the newest, else the last: "DISTINCT ON (key) columns FROM batch
 * ORDER BY key, newest, position". DISTINCT ON takes nulls for equal, a unique index does not: rows
 * with a null in the key are told apart by their position. */
static void append_distinct(struct buf *sql, const struct staging *staging)
{
    struct buf apart = {0};
    buf_append_text(&apart, ", CASE WHEN ");
    bool nulls = append_null_key(&apart, staging);
    buf_append_text(&apart, " THEN " POSITION " END");
    if (!nulls) {
        buf_reset(&apart);
    }

    buf_append_text(sql, "SELECT DISTINCT ON (");
    append_key(sql, staging->rule);
    buf_append_slice(sql, buf_slice(&apart));
    buf_append_text(sql, ") ");
    append_columns(sql, staging->plan);
    buf_append_text(sql, " FROM pg_temp.batch ORDER BY ");
    append_key(sql, staging->rule);
    buf_append_slice(sql, buf_slice(&apart));
    if (staging->rule->newest.text != NULL) {
        buf_append_text(sql, ", ");
        pg_quote_identifier(sql, slice_of(staging->rule->newest.text));
        buf_append_text(sql, " DESC NULLS LAST");
    }
    buf_append_text(sql, ", " POSITION " DESC");
    buf_fini(&apart);
}

static void append_select(struct buf *sql, const struct staging *staging)
{
    buf_append_text(sql, "SELECT ");
    append_columns(sql, staging->plan);
    buf_append_text(sql, " FROM pg_temp.batch ORDER BY ");
    append_key(sql, staging->rule);
    buf_append_text(sql, staging->rule->key_count > 0 ? ", " POSITION : POSITION);
}

/* "DO UPDATE SET …", or "DO NOTHING" when the key is all there is. */
static void append_update(struct buf *sql, const struct staging *staging)
{
    bool any = false;
    for (size_t i = 0; i < staging->plan->count; i++) {
        struct slice name = column_name(staging->plan, i);
        if (is_key(staging->rule, staging->plan->columns[i]->name)) {
            continue;
        }
        buf_append_text(sql, any ? ", " : " DO UPDATE SET ");
        pg_quote_identifier(sql, name);
        buf_append_text(sql, " = excluded.");
        pg_quote_identifier(sql, name);
        any = true;
    }
    if (!any) {
        buf_append_text(sql, " DO NOTHING");
    } else if (staging->rule->newest.text != NULL) {
        struct buf newest = {0};
        pg_quote_identifier(&newest, slice_of(staging->rule->newest.text));
        const char *name = buf_string(&newest);
        buf_printf(sql, " WHERE stored.%s IS NULL OR excluded.%s >= stored.%s", name, name, name);
        buf_fini(&newest);
    }
}

static void append_insert(struct buf *sql, const struct staging *staging)
{
    buf_printf(sql, "INSERT INTO %s AS stored (", staging->relation);
    append_columns(sql, staging->plan);
    buf_append_text(sql, ")\n");
    if (staging->rule->on_conflict == CONFLICT_UPDATE) {
        append_distinct(sql, staging);
    } else {
        append_select(sql, staging);
    }
    if (staging->rule->on_conflict != CONFLICT_ERROR) {
        buf_append_text(sql, "\nON CONFLICT");
        if (staging->rule->key_count > 0) {
            buf_append_text(sql, " (");
            append_key(sql, staging->rule);
            buf_append_text(sql, ")");
        }
    }
    if (staging->rule->on_conflict == CONFLICT_UPDATE) {
        append_update(sql, staging);
    } else if (staging->rule->on_conflict == CONFLICT_NOTHING) {
        buf_append_text(sql, " DO NOTHING");
    }
}

/* From batch into the table. */
static char *after_sql(const struct staging *staging)
{
    struct buf sql = {0};
    if (staging->rule->sql.text == NULL) {
        append_insert(&sql, staging);
        buf_append_text(&sql, ";\n");
    }
    buf_append_text(&sql, "DROP TABLE pg_temp.batch");
    char *text = memory_copy(buf_slice(&sql));
    buf_fini(&sql);
    return text;
}

/* "schema.table" of the catalog, quoted. */
static void append_relation(struct buf *out, const struct pg_table *table)
{
    pg_quote_identifier(out, slice_of(table->shape->schema));
    buf_append_byte(out, '.');
    pg_quote_identifier(out, slice_of(table->shape->name));
}

struct target *target_rehearsal_new(const struct rule_options *rule, const struct pg_table *table,
                                    const struct row_plan *plan)
{
    struct target *target = memory_alloc(sizeof(*target));
    struct buf relation = {0};
    struct buf sql = {0};
    append_relation(&relation, table);
    const struct staging staging = {.rule = rule, .plan = plan, .relation = buf_string(&relation)};
    append_insert(&sql, &staging);
    /* Not "stored", which could be a column's name. */
    buf_append_text(&sql, "\nRETURNING row_to_json(stored.*)::text");
    target->before = before_sql(&staging);
    target->copy = copy_sql(plan, slice_of("pg_temp.batch"));
    target->after = memory_copy(buf_slice(&sql));
    buf_fini(&relation);
    buf_fini(&sql);
    return target;
}

/* "(NULL::relation).column, …": to be selected, needs no privilege but to find the table. */
static void take_types(struct target *target, const char *relation, const struct row_plan *plan)
{
    struct buf sql = {0};

    target->type_oids = memory_alloc((plan->count + 1) * sizeof(*target->type_oids));
    target->type_count = plan->count;
    for (size_t i = 0; i < plan->count; i++) {
        buf_printf(&sql, "%s(NULL::%s).", i > 0 ? ", " : "", relation);
        pg_quote_identifier(&sql, column_name(plan, i));
        target->type_oids[i] = plan->columns[i]->type_oid;
    }
    target->types = memory_copy(buf_slice(&sql));
    buf_fini(&sql);
}

/* The configuration has checked it; what makes no sense after all is left to the server to
 * refuse. */
static void take_own(struct target *target, const char *text)
{
    struct slice sql = slice_of(text), statement = {0};
    struct error error;

    while (pg_take_statement(&sql, &statement, &error) == OUTCOME_OK && statement.length > 0) {
        target->own = memory_resize(target->own, (target->own_count + 1) * sizeof(target->own[0]));
        target->own[target->own_count++] = memory_copy(statement);
    }
}

struct target *target_new(const struct rule_options *rule, const struct pg_table *table,
                          const struct row_plan *plan)
{
    struct target *target = memory_alloc(sizeof(*target));
    struct buf relation = {0};
    bool plain = false;

    if (table != NULL) {
        append_relation(&relation, table);
        take_types(target, buf_string(&relation), plan);
        plain = table->copy_works && rule->on_conflict == CONFLICT_ERROR && rule->sql.text == NULL;
    }
    const struct staging staging = {.rule = rule, .plan = plan, .relation = buf_string(&relation)};
    target->deferred = table == NULL || table->deferrable;
    if (plain) {
        target->copy = copy_sql(plan, buf_slice(&relation));
    } else {
        target->before = before_sql(&staging);
        target->copy = copy_sql(plan, slice_of("pg_temp.batch"));
        target->after = after_sql(&staging);
        take_own(target, rule->sql.text);
    }
    buf_fini(&relation);
    return target;
}

void target_free(struct target *target)
{
    if (target != NULL) {
        free(target->before);
        free(target->copy);
        for (size_t i = 0; i < target->own_count; i++) {
            free(target->own[i]);
        }
        free(target->own);
        free(target->after);
        free(target->types);
        free(target->type_oids);
        free(target);
    }
}

enum outcome target_run(struct pg_connection *connection, const struct target *target,
                        const struct slice *parts, size_t part_count, struct pg_failure *failure)
{
    enum outcome outcome = OUTCOME_OK;

    if (target->before != NULL) {
        outcome = pg_run(connection, target->before, failure);
    }
    if (outcome == OUTCOME_OK) {
        outcome = pg_copy(connection, target->copy, parts, part_count, failure);
    }
    for (size_t i = 0; outcome == OUTCOME_OK && i < target->own_count; i++) {
        outcome = pg_run_own(connection, target->own[i], failure);
    }
    if (outcome == OUTCOME_OK && target->after != NULL) {
        outcome = pg_run(connection, target->after, failure);
        failure->line = 0; /* a line of COPY inside the rule's own SQL is none of ours */
    }
    if (outcome == OUTCOME_OK && target->deferred) {
        outcome = pg_run(connection, "set constraints all immediate", failure);
    }
    return outcome;
}

/* Compares one target's types with those from *column on, and moves it behind them. */
static bool has_types(const struct target *target, const struct pg_rows *rows, int *column)
{
    bool same = true;
    for (size_t i = 0; i < target->type_count; i++) {
        same = pg_rows_type(rows, (*column)++) == target->type_oids[i] && same;
    }
    return same;
}

/* Asks for the types of the targets from `low` up to `high`. */
static enum outcome ask_types(struct pg_connection *connection, const struct target *const *targets,
                              size_t low, size_t high, size_t *changed, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    struct buf sql = {0};
    int column = 0;

    for (size_t i = low; i < high; i++) {
        if (targets[i] != NULL && targets[i]->types != NULL) {
            buf_printf(&sql, "%s%s", sql.length == 0 ? "SELECT " : ", ", targets[i]->types);
        }
    }
    enum outcome outcome = sql.length == 0
                               ? OUTCOME_OK
                               : pg_query(connection, buf_string(&sql), 0, NULL, &rows, failure);
    for (size_t i = low; rows != NULL && outcome == OUTCOME_OK && i < high; i++) {
        if (targets[i] != NULL && !has_types(targets[i], rows, &column)) {
            *changed = i;
            outcome = pg_failure_set(failure, SQL_ROW, "a column has another type now");
            memcpy(failure->sqlstate, "42804", sizeof(failure->sqlstate));
        }
    }
    pg_rows_free(rows);
    buf_fini(&sql);
    return outcome;
}

enum outcome targets_check(struct pg_connection *connection, const struct target *const *targets,
                           size_t count, size_t *changed, struct pg_failure *failure)
{
    enum outcome outcome = OUTCOME_OK;
    size_t low = 0, columns = 0;

    for (size_t i = 0; outcome == OUTCOME_OK && i < count; i++) {
        size_t more = targets[i] == NULL ? 0 : targets[i]->type_count;
        if (columns + more > SELECT_COLUMNS_MAX) {
            outcome = ask_types(connection, targets, low, i, changed, failure);
            low = i;
            columns = 0;
        }
        columns += more;
    }
    return outcome == OUTCOME_OK ? ask_types(connection, targets, low, count, changed, failure)
                                 : outcome;
}

static void append_definition(struct buf *sql, const struct column_shape *column)
{
    pg_quote_identifier(sql, slice_of(column->name));
    buf_printf(sql, " %s",
               column->type_name != NULL && column->type_name[0] != '\0' ? column->type_name
                                                                         : "text");
}

static void append_create(struct buf *out, const char *relation, const struct rule_options *rule,
                          const struct table_shape *shape)
{
    buf_printf(out, "CREATE TABLE IF NOT EXISTS %s (", relation);
    for (size_t i = 0; i < shape->count; i++) {
        buf_append_text(out, i > 0 ? ",\n    " : "\n    ");
        append_definition(out, &shape->columns[i]);
    }
    if (rule->key_count > 0) {
        buf_append_text(out, ",\n    PRIMARY KEY (");
        append_key(out, rule);
        buf_append_text(out, ")");
    }
    buf_append_text(out, "\n);\n");
}

static void append_alter(struct buf *out, const char *relation, const struct table_shape *shape)
{
    for (size_t i = 0; i < shape->count; i++) {
        if (i == 0) {
            buf_printf(out, "ALTER TABLE %s", relation);
        }
        buf_append_text(out, i > 0 ? ",\n    " : "\n    ");
        buf_append_text(out, "ADD COLUMN IF NOT EXISTS ");
        append_definition(out, &shape->columns[i]);
    }
    buf_append_text(out, shape->count > 0 ? ";\n" : "");
}

void target_create_sql(struct buf *out, const struct rule_options *rule,
                       const struct table_shape *shape)
{
    struct buf relation = {0};
    if (rule->table.text != NULL && pg_quote_relation(&relation, slice_of(rule->table.text))) {
        append_create(out, buf_string(&relation), rule, shape);
        append_alter(out, buf_string(&relation), shape);
    }
    buf_fini(&relation);
}
