/* SPDX-License-Identifier: MIT */
#include "pg/partitions.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "pg/pg_quote.h"
#include "sql_text.h"

/* --- the state -------------------------------------------------------------------------------- */

/* The columns of partition-state.sql. */
enum {
    KIND,
    KEY,
    KEY_IS_TIME,
    KEY_IS_DATE,
    IS_OWNER,
    ROWS_STAY,
    NOW_US,
    OID,
    NAME,
    BOUND,
    IS_DEFAULT,
    MINE,
    FROM_US,
    TO_US,
    MADE_US
};

static char *text_at(const struct pg_rows *rows, int row, int column)
{
    const char *text = pg_rows_text(rows, row, column);

    return text == NULL ? NULL : memory_strdup(text);
}

/* A partition whose bounds could not be read as times is left out. */
static void take_partition(struct partitions *partitions, const struct pg_rows *rows, int row)
{
    if (pg_rows_is_true(rows, row, IS_DEFAULT)) {
        partitions->default_name = text_at(rows, row, NAME);
        partitions->default_mine = pg_rows_is_true(rows, row, MINE);
    } else if (pg_rows_text(rows, row, FROM_US) != NULL && pg_rows_text(rows, row, TO_US) != NULL) {
        partitions->list[partitions->count] =
            (struct partition){.oid = (uint32_t) pg_rows_integer(rows, row, OID),
                               .name = text_at(rows, row, NAME),
                               .bound = text_at(rows, row, BOUND),
                               .mine = pg_rows_is_true(rows, row, MINE),
                               .made_us = pg_rows_integer(rows, row, MADE_US)};
        partitions->spans[partitions->count++] =
            (struct span){pg_rows_integer(rows, row, FROM_US), pg_rows_integer(rows, row, TO_US)};
    }
}

enum outcome partitions_read(struct pg_connection *connection, uint32_t oid,
                             struct partitions *partitions, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    char text[16];
    const char *values[] = {text};
    enum outcome outcome;
    int count;

    assert(oid != 0);
    *partitions = (struct partitions){.kind = 0};
    snprintf(text, sizeof(text), "%" PRIu32, oid);
    outcome = pg_query(connection, sql_partition_state, PG_PARAMS(values), &rows, failure);
    count = outcome == OUTCOME_OK ? pg_rows_count(rows) : 0;
    if (count > 0) {
        partitions->kind = pg_rows_text(rows, 0, KIND)[0];
        partitions->key = text_at(rows, 0, KEY);
        partitions->key_is_time = pg_rows_is_true(rows, 0, KEY_IS_TIME);
        partitions->key_is_date = pg_rows_is_true(rows, 0, KEY_IS_DATE);
        partitions->is_owner = pg_rows_is_true(rows, 0, IS_OWNER);
        partitions->rows_stay = pg_rows_is_true(rows, 0, ROWS_STAY);
        partitions->now_us = pg_rows_integer(rows, 0, NOW_US);
        partitions->list = memory_alloc((size_t) count * sizeof(*partitions->list));
        partitions->spans = memory_alloc((size_t) count * sizeof(*partitions->spans));
    }
    for (int row = 0; row < count; row++) {
        take_partition(partitions, rows, row);
    }
    assert(partitions->count <= (size_t) count);
    pg_rows_free(rows);
    return outcome;
}

void partitions_fini(struct partitions *partitions)
{
    for (size_t i = 0; i < partitions->count; i++) {
        free(partitions->list[i].name);
        free(partitions->list[i].bound);
    }
    free(partitions->list);
    free(partitions->spans);
    free(partitions->key);
    free(partitions->default_name);
    *partitions = (struct partitions){.kind = 0};
}

/* --- make ------------------------------------------------------------------------------------- */

/* What the statements are made of. */
struct making {
    const struct new_partition *new;
    char *parent; /* owned; quoted, like `name` */
    char *name;   /* owned */
    char *where;  /* owned; "column >= … AND column < …" */
};

static char *quoted_in_schema(const char *schema, struct slice name)
{
    struct buf out = {0};
    char *text;

    pg_quote_identifier(&out, slice_of(schema));
    buf_append_byte(&out, '.');
    pg_quote_identifier(&out, name);
    text = memory_copy(buf_slice(&out));
    buf_fini(&out);
    return text;
}

/* Appends a time in quotes. */
static void append_moment(struct buf *out, int64_t us)
{
    buf_append_byte(out, '\'');
    partition_append_time(out, us);
    buf_append_byte(out, '\'');
}

/* Appends "column >= 'from' AND column < 'to'". */
static void append_where(struct buf *out, const struct partitions *partitions, struct span span)
{
    pg_quote_identifier(out, slice_of(partitions->key));
    buf_append_text(out, " >= ");
    append_moment(out, span.from_us);
    buf_append_text(out, " AND ");
    pg_quote_identifier(out, slice_of(partitions->key));
    buf_append_text(out, " < ");
    append_moment(out, span.to_us);
}

/* Appends the statement that moves the rows. It reads the list of columns after the lock is taken:
 * a list from before could lack a new column, whose values would be lost. Generated columns are
 * computed again. */
static void append_move(struct buf *out, const struct making *making)
{
    struct buf part = {0};

    buf_append_text(out, "DO $mqtt2pg$ DECLARE columns text := (SELECT "
                         "string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM "
                         "pg_catalog.pg_attribute WHERE attrelid = ");
    pg_quote_literal(out, slice_of(making->parent));
    buf_append_text(out, "::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''); "
                         "BEGIN EXECUTE ");
    buf_printf(&part, "WITH moved AS (DELETE FROM ONLY %s WHERE %s RETURNING *) INSERT INTO %s (",
               making->new->partitions->default_name, making->where, making->name);
    pg_quote_literal(out, buf_slice(&part));
    buf_append_text(out, " || columns || ') OVERRIDING SYSTEM VALUE SELECT ' || columns || ' FROM "
                         "moved'; END $mqtt2pg$; ");
    buf_fini(&part);
}

/* Locks are taken in PostgreSQL's usual order, first the table, then its partitions. */
static void append_make(struct buf *out, const struct making *making)
{
    const struct partitions *partitions = making->new->partitions;
    bool moves =
        partitions->default_name != NULL && partitions->default_mine && !partitions->rows_stay;

    buf_printf(out, "LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE; ", making->parent);
    if (moves) {
        buf_printf(out, "LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE; ", partitions->default_name);
    }
    buf_printf(out,
               "CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING "
               "GENERATED INCLUDING STORAGE); ",
               making->name, making->parent);
    if (moves) {
        append_move(out, making);
    }
    buf_printf(out, "ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (", making->parent,
               making->name);
    append_moment(out, making->new->span.from_us);
    buf_append_text(out, ") TO (");
    append_moment(out, making->new->span.to_us);
    buf_printf(out, "); COMMENT ON TABLE %s IS '" PARTITION_MARK " at ", making->name);
    partition_append_time(out, partitions->now_us);
    buf_append_text(out, "';");
}

enum short_ddl partition_make(struct pg_connection *connection, const struct new_partition *new,
                              struct buf *name, struct pg_failure *failure)
{
    struct making making = {.new = new};
    struct buf text = {0};
    struct buf where = {0};
    struct buf sql = {0};
    enum short_ddl result;

    assert(new->span.from_us < new->span.to_us &&new->partitions->key != NULL);
    partition_append_name(&text, new->table->name, new->span.from_us);
    append_where(&where, new->partitions, new->span);
    making.parent = quoted_in_schema(new->table->schema, slice_of(new->table->name));
    making.name = quoted_in_schema(new->table->schema, buf_slice(&text));
    making.where = memory_copy(buf_slice(&where));
    append_make(&sql, &making);
    result = short_ddl_run(connection, buf_string(&sql), failure);
    buf_append_text(name, making.name);
    free(making.parent);
    free(making.name);
    free(making.where);
    buf_fini(&text);
    buf_fini(&where);
    buf_fini(&sql);
    return result;
}

/* --- drop ------------------------------------------------------------------------------------- */

enum short_ddl partition_drop(struct pg_connection *connection, const struct table_shape *table,
                              const struct partition *partition, struct pg_failure *failure)
{
    char *parent = quoted_in_schema(table->schema, slice_of(table->name));
    struct buf sql = {0};
    enum short_ddl result;

    assert(partition->mine);
    /* After the lock: is the partition still the one whose bounds were read? If not, 1 / 0
     * fails. */
    buf_printf(&sql,
               "LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE; SELECT 1 / count(*) FROM "
               "pg_catalog.pg_class c JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid WHERE "
               "c.oid = %" PRIu32 " AND i.inhparent = ",
               parent, partition->oid);
    pg_quote_literal(&sql, slice_of(parent));
    buf_append_text(&sql, "::regclass AND c.oid = ");
    pg_quote_literal(&sql, slice_of(partition->name));
    buf_append_text(&sql, "::regclass AND pg_get_expr(c.relpartbound, c.oid) = ");
    pg_quote_literal(&sql, slice_of(partition->bound));
    buf_printf(&sql,
               " AND obj_description(c.oid, 'pg_class') LIKE '" PARTITION_MARK "%%'; DROP TABLE "
               "%s;",
               partition->name);
    result = short_ddl_run(connection, buf_string(&sql), failure);
    if (result == SHORT_DDL_REFUSED && strcmp(failure->sqlstate, "22012") == 0) {
        result = SHORT_DDL_LATER;
    }
    buf_fini(&sql);
    free(parent);
    return result;
}

/* --- rows in the default partition ------------------------------------------------------------ */

enum outcome partitions_earliest(struct pg_connection *connection,
                                 const struct partitions *partitions, struct span span,
                                 int64_t *at_us, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    struct buf sql = {0};
    enum outcome outcome;

    assert(partitions->default_name != NULL && span.from_us < span.to_us);
    buf_append_text(&sql, "SELECT (extract(epoch FROM min(");
    pg_quote_identifier(&sql, slice_of(partitions->key));
    buf_printf(&sql, ")) * 1000000)::bigint FROM ONLY %s WHERE ", partitions->default_name);
    append_where(&sql, partitions, span);
    outcome = pg_query(connection, buf_string(&sql), PG_NO_PARAMS, &rows, failure);
    *at_us = outcome == OUTCOME_OK && pg_rows_text(rows, 0, 0) != NULL ? pg_rows_integer(rows, 0, 0)
                                                                       : span.to_us;
    pg_rows_free(rows);
    buf_fini(&sql);
    return outcome;
}
