/* SPDX-License-Identifier: MIT */
#include "pg/target_sql.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "pg/pg_quote.h"
#include "pg/target.h"
#include "row/copy_arrays.h"

/* Numbers the rows in the order of their messages, because a table has no order. CACHE makes the
 * server take that many numbers from the sequence at a time: one write for most batches. */
#define POSITION "mqtt2pg_position"
#define POSITION_TYPE "bigint GENERATED ALWAYS AS IDENTITY (CACHE 100000)"

static struct slice column_name(const struct row_plan *plan, size_t i)
{
    assert(i < plan->count);
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

/* The columns that are written. */
static void append_stored(struct buf *sql, const struct row_plan *plan)
{
    for (size_t i = 0; i < plan->stored_count; i++) {
        buf_append_text(sql, i > 0 ? ", " : "");
        pg_quote_identifier(sql, slice_of(plan->stored[i]->name));
    }
}

char *target_sql_copy(const struct row_plan *plan, const char *relation)
{
    struct buf sql = {0};
    buf_printf(&sql, "COPY %s (", relation);
    append_columns(&sql, plan);
    buf_printf(&sql, ") FROM STDIN (FORMAT %s)", plan->format == COPY_BINARY ? "binary" : "text");
    char *text = memory_copy(buf_slice(&sql));
    buf_fini(&sql);
    return text;
}

static const char *declared_name(const struct column_shape *column)
{
    return column->type_name != NULL && column->type_name[0] != '\0' ? column->type_name : "text";
}

/* The type to which a value is cast before INSERT assigns it: without a length, because a cast
 * would shorten a text that an assignment refuses. */
static const char *value_name(const struct column_shape *column)
{
    return column->base_name != NULL ? column->base_name : declared_name(column);
}

char *target_sql_temporary(const struct staging *staging)
{
    struct buf sql = {0};

    assert(staging->temporary);
    buf_append_text(&sql, "CREATE TEMP TABLE batch (");
    for (size_t i = 0; i < staging->plan->count; i++) {
        buf_append_text(&sql, i > 0 ? ", " : "");
        pg_quote_identifier(&sql, column_name(staging->plan, i));
        buf_printf(&sql, " %s", declared_name(staging->plan->columns[i]));
    }
    if (staging->rule->sql.text == NULL) {
        buf_append_text(&sql, ", " POSITION " " POSITION_TYPE);
    }
    buf_append_text(&sql, ") ON COMMIT DROP");
    char *text = memory_copy(buf_slice(&sql));
    buf_fini(&sql);
    return text;
}

/* Does the column travel as an array of texts, and get its own type by a cast on the server? */
static bool is_cast(const struct row_plan *plan, size_t i)
{
    return copy_array_element(plan->columns[i], plan->format) == TEXT_OID &&
           plan->columns[i]->type_oid != TEXT_OID;
}

static bool is_cast_anywhere(const struct row_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (is_cast(plan, i)) {
            return true;
        }
    }
    return false;
}

/* "unnest($1::int[], …) WITH ORDINALITY AS name (columns, position)" */
static void append_unnest(struct buf *sql, const struct row_plan *plan, const char *name)
{
    buf_append_text(sql, "unnest(");
    for (size_t i = 0; i < plan->count; i++) {
        buf_printf(sql, "%s$%zu::%s[]", i > 0 ? ", " : "", i + 1,
                   is_cast(plan, i) ? "text" : value_name(plan->columns[i]));
    }
    buf_printf(sql, ") WITH ORDINALITY AS %s (", name);
    append_columns(sql, plan);
    buf_append_text(sql, ", " POSITION ")");
}

/* Rows of the rule's expressions, called "batch", with their position. */
static void append_given(struct buf *sql, const struct staging *staging)
{
    const struct row_plan *plan = staging->plan;

    if (staging->temporary) {
        buf_append_text(sql, "pg_temp.batch");
        return;
    }
    if (!is_cast_anywhere(plan)) {
        append_unnest(sql, plan, "batch");
        return;
    }
    buf_append_text(sql, "(SELECT ");
    for (size_t i = 0; i < plan->count; i++) {
        pg_quote_identifier(sql, column_name(plan, i));
        if (is_cast(plan, i)) {
            buf_printf(sql, "::%s AS ", value_name(plan->columns[i]));
            pg_quote_identifier(sql, column_name(plan, i));
        }
        buf_append_text(sql, ", ");
    }
    buf_append_text(sql, POSITION " FROM ");
    append_unnest(sql, plan, "texts");
    buf_append_text(sql, ") AS batch");
}

/* Appends the FROM item: rows called "batch" with their position. Computed columns see the columns
 * of the expressions. A newline after each expression ends a comment in it. */
static void append_from(struct buf *sql, const struct staging *staging)
{
    const struct row_plan *plan = staging->plan;
    size_t first = plan->stored_count - plan->computed_count;

    assert(plan->computed_count <= plan->stored_count);
    assert(plan->computed_count <= staging->rule->compute_count);
    if (plan->computed_count == 0) {
        append_given(sql, staging);
        return;
    }
    buf_append_text(sql, "(SELECT ");
    for (size_t i = 0; i < plan->stored_count; i++) {
        if (i >= first) {
            buf_printf(sql, "(%s\n) AS ", staging->rule->compute[i - first].expression);
        }
        pg_quote_identifier(sql, slice_of(plan->stored[i]->name));
        buf_append_text(sql, ", ");
    }
    buf_append_text(sql, POSITION " FROM ");
    append_given(sql, staging);
    buf_append_text(sql, ") AS batch");
}

void target_sql_source(struct buf *sql, const struct staging *staging)
{
    buf_append_text(sql, "SELECT ");
    append_stored(sql, staging->plan);
    buf_append_text(sql, " FROM ");
    append_from(sql, staging);
}

/* Appends "k1 IS NULL OR k2 IS NULL" for those columns of the key that may be null; false when none
 * may. */
static bool append_null_key(struct buf *sql, const struct staging *staging)
{
    bool any = false;
    for (size_t i = 0; i < staging->plan->stored_count; i++) {
        const struct column_shape *column = staging->plan->stored[i];
        if (is_key(staging->rule, column->name) && !column->not_null) {
            buf_append_text(sql, any ? " OR " : "");
            pg_quote_identifier(sql, slice_of(column->name));
            buf_append_text(sql, " IS NULL");
            any = true;
        }
    }
    return any;
}

/* "DISTINCT ON (key) columns FROM batch ORDER BY key, newest DESC, position DESC": of the rows with
 * one key the newest, and of equally new ones the last. ON CONFLICT DO UPDATE may not touch a row
 * twice in one statement (SQLSTATE 21000), so the other rows must be removed first. DISTINCT ON
 * takes nulls for equal and a unique index does not: rows with a null in the key also differ by
 * position. */
static void append_distinct(struct buf *sql, const struct staging *staging)
{
    struct buf apart = {0};

    assert(staging->rule->on_conflict == CONFLICT_UPDATE);
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
    append_stored(sql, staging->plan);
    buf_append_text(sql, " FROM ");
    append_from(sql, staging);
    buf_append_text(sql, " ORDER BY ");
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

/* The rows in the order of the key, so that two writers lock rows in the same order. Without a key
 * unnest() already gives them in the order of the messages; a temporary table needs the sort. */
static void append_select(struct buf *sql, const struct staging *staging)
{
    target_sql_source(sql, staging);
    if (staging->rule->key_count > 0) {
        buf_append_text(sql, " ORDER BY ");
        append_key(sql, staging->rule);
        buf_append_text(sql, ", " POSITION);
    } else if (staging->temporary) {
        buf_append_text(sql, " ORDER BY " POSITION);
    }
}

/* "DO UPDATE SET …", or "DO NOTHING" when the key is all there is. */
static void append_update(struct buf *sql, const struct staging *staging)
{
    bool any = false;

    assert(staging->rule->on_conflict == CONFLICT_UPDATE);
    for (size_t i = 0; i < staging->plan->stored_count; i++) {
        struct slice name = slice_of(staging->plan->stored[i]->name);
        if (is_key(staging->rule, staging->plan->stored[i]->name)) {
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

void target_sql_insert(struct buf *sql, const struct staging *staging)
{
    assert(staging->relation != NULL);
    buf_printf(sql, "INSERT INTO %s AS stored (", staging->relation);
    append_stored(sql, staging->plan);
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

void target_sql_relation(struct buf *out, const struct pg_table *table)
{
    pg_quote_identifier(out, slice_of(table->shape->schema));
    buf_append_byte(out, '.');
    pg_quote_identifier(out, slice_of(table->shape->name));
}

/* A composite null has the columns' types and needs no row: pg_typeof((NULL::table).column). A type
 * that differs makes the sum false, which is 0, and 1 / 0 fails with 22012 (TARGET_CHECK_STATE). */
char *target_sql_check(const char *relation, const struct row_plan *plan)
{
    struct buf sql = {0};

    assert(relation != NULL && plan->computed_count <= plan->stored_count);
    buf_append_text(&sql, "SELECT 1 / (true");
    /* Computed columns are left out: the server casts their values when it inserts them. */
    for (size_t i = 0; i < plan->stored_count - plan->computed_count; i++) {
        buf_printf(&sql, " AND pg_typeof((NULL::%s).", relation);
        pg_quote_identifier(&sql, slice_of(plan->stored[i]->name));
        buf_printf(&sql, ")::oid = %" PRIu32, plan->stored[i]->declared_oid);
    }
    buf_append_text(&sql, ")::int");
    char *text = memory_copy(buf_slice(&sql));
    buf_fini(&sql);
    return text;
}

/* Listeners get the payload when the transaction commits, and never when it rolls back
 * (PostgreSQL's documentation, "NOTIFY"). NOTIFY takes no parameters, so the payload is a
 * literal. */
void target_notify_sql(struct buf *out, const struct rule_options *rule, size_t rows)
{
    struct buf payload = {0};

    if (rule->notify.text == NULL || rows == 0) {
        return;
    }
    buf_append_text(&payload, "{\"rule\":");
    text_append_json(&payload, slice_of(rule->name));
    buf_printf(&payload, ",\"rows\":%zu}", rows);
    buf_append_text(out, "NOTIFY ");
    pg_quote_identifier(out, slice_of(rule->notify.text));
    buf_append_text(out, ", ");
    pg_quote_literal(out, buf_slice(&payload));
    buf_append_text(out, ";\n");
    buf_fini(&payload);
}
