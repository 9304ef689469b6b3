/* SPDX-License-Identifier: MIT */
#include "pg/pg_catalog.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "pg/pg_quote.h"
#include "sql_text.h"

static bool is_true(const struct pg_rows *rows, int row, int column)
{
    return slice_is(pg_rows_slice(rows, row, column), "t");
}

static uint32_t oid_at(const struct pg_rows *rows, int row, int column)
{
    const char *text = pg_rows_text(rows, row, column);
    return text == NULL ? 0 : (uint32_t) strtoul(text, NULL, 10);
}

/* The columns of catalog-columns.sql. */
enum {
    NAME,
    TYPE_NAME,
    TYPE_OID,
    ELEMENT_OID,
    FAMILY_OID,
    TYPMOD,
    NOT_NULL,
    HAS_DEFAULT,
    GENERATED,
    DELIMITER,
    DENIED_SEQUENCE
};

static void add_column(struct table_shape *shape, const struct pg_rows *rows, int row)
{
    struct column_shape *column = table_shape_add(shape, pg_rows_slice(rows, row, NAME));
    free(column->type_name);
    column->type_name = memory_copy(pg_rows_slice(rows, row, TYPE_NAME));
    column->type_oid = oid_at(rows, row, TYPE_OID);
    column->element_oid = oid_at(rows, row, ELEMENT_OID);
    column->array = column->element_oid != 0;
    column->family = type_family_of(oid_at(rows, row, FAMILY_OID));
    column->typmod = (int32_t) strtol(pg_rows_text(rows, row, TYPMOD), NULL, 10);
    column->not_null = is_true(rows, row, NOT_NULL);
    column->has_default = is_true(rows, row, HAS_DEFAULT);
    column->generated = is_true(rows, row, GENERATED);
    column->delimiter = column->array ? pg_rows_text(rows, row, DELIMITER)[0] : '\0';
    if (pg_rows_text(rows, row, DENIED_SEQUENCE) != NULL) {
        column->denied_sequence = memory_copy(pg_rows_slice(rows, row, DENIED_SEQUENCE));
    }
}

static enum outcome read_columns(struct pg_connection *connection, struct pg_table *table,
                                 struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    char oid[16];
    snprintf(oid, sizeof(oid), "%" PRIu32, table->oid);
    const char *values[] = {oid};
    if (pg_query(connection, sql_catalog_columns, 1, values, &rows, failure) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    for (int row = 0; row < pg_rows_count(rows); row++) {
        add_column(table->shape, rows, row);
    }
    pg_rows_free(rows);
    return OUTCOME_OK;
}

/* From a row of catalog-table.sql. */
static struct pg_table *new_table(const struct pg_rows *rows)
{
    struct pg_table *table = memory_alloc(sizeof(*table));
    table->oid = oid_at(rows, 0, 0);
    table->shape = table_shape_new();
    table->shape->schema = memory_copy(pg_rows_slice(rows, 0, 1));
    table->shape->name = memory_copy(pg_rows_slice(rows, 0, 2));
    table->shape->kind = pg_rows_text(rows, 0, 3)[0];
    table->deferrable = is_true(rows, 0, 4);
    table->can_insert = is_true(rows, 0, 5);
    table->can_update = is_true(rows, 0, 6);
    table->can_select = is_true(rows, 0, 7);
    table->copy_works = is_true(rows, 0, 8);
    return table;
}

enum outcome pg_catalog_table(struct pg_connection *connection, struct slice name,
                              struct pg_table **table, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    char *text = memory_copy(name);
    const char *values[] = {text};

    *table = NULL;
    enum outcome outcome = pg_query(connection, sql_catalog_table, 1, values, &rows, failure);
    if (outcome == OUTCOME_OK && pg_rows_count(rows) > 0) {
        *table = new_table(rows);
        outcome = read_columns(connection, *table, failure);
    }
    if (outcome != OUTCOME_OK) {
        pg_table_free(*table);
        *table = NULL;
    }
    pg_rows_free(rows);
    free(text);
    return outcome;
}

void pg_table_free(struct pg_table *table)
{
    if (table != NULL) {
        table_shape_free(table->shape);
        free(table);
    }
}

enum outcome pg_catalog_unique(struct pg_connection *connection, const struct pg_table *table,
                               const char *const *columns, size_t count, bool *found,
                               struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    struct buf names = {0};
    char oid[16];

    *found = table->shape->kind == 'v' || table->shape->kind == 'f';
    if (*found) {
        return OUTCOME_OK;
    }
    snprintf(oid, sizeof(oid), "%" PRIu32, table->oid);
    pg_quote_array(&names, columns, count);
    const char *values[] = {oid, count > 0 ? buf_string(&names) : NULL};
    enum outcome outcome = pg_query(connection, sql_catalog_unique, 2, values, &rows, failure);
    if (outcome == OUTCOME_OK) {
        *found = is_true(rows, 0, 0);
    }
    pg_rows_free(rows);
    buf_fini(&names);
    return outcome;
}
