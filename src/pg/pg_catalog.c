/* SPDX-License-Identifier: MIT */
#include "pg/pg_catalog.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "pg/pg_quote.h"
#include "sql_text.h"

/* Tables asked for by one statement: libpq holds its whole answer in memory. */
enum { TABLES_AT_ONCE = 250 };

static uint32_t oid_at(const struct pg_rows *rows, int row, int column)
{
    const char *text = pg_rows_text(rows, row, column);
    return text == NULL ? 0 : (uint32_t) strtoul(text, NULL, 10);
}

/* The columns of catalog-columns.sql. */
enum {
    TABLE_OID,
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
    DENIED_SEQUENCE,
    BASE_NAME,
    DECLARED_OID,
    DENIED
};

static void add_column(struct table_shape *shape, const struct pg_rows *rows, int row)
{
    struct column_shape *column = table_shape_add(shape, pg_rows_slice(rows, row, NAME));
    free(column->type_name);
    column->type_name = memory_copy(pg_rows_slice(rows, row, TYPE_NAME));
    column->base_name = memory_copy(pg_rows_slice(rows, row, BASE_NAME));
    column->type_oid = oid_at(rows, row, TYPE_OID);
    column->declared_oid = oid_at(rows, row, DECLARED_OID);
    column->element_oid = oid_at(rows, row, ELEMENT_OID);
    column->array = column->element_oid != 0;
    column->family = type_family_of(oid_at(rows, row, FAMILY_OID));
    column->typmod = (int32_t) strtol(pg_rows_text(rows, row, TYPMOD), NULL, 10);
    column->not_null = pg_rows_is_true(rows, row, NOT_NULL);
    column->has_default = pg_rows_is_true(rows, row, HAS_DEFAULT);
    column->generated = pg_rows_is_true(rows, row, GENERATED);
    column->denied = pg_rows_is_true(rows, row, DENIED);
    column->delimiter = column->array ? pg_rows_text(rows, row, DELIMITER)[0] : '\0';
    if (pg_rows_text(rows, row, DENIED_SEQUENCE) != NULL) {
        column->denied_sequence = memory_copy(pg_rows_slice(rows, row, DENIED_SEQUENCE));
    }
}

/* The first row of the table with this oid; the rows stand in the order of the oids. */
static int first_row(const struct pg_rows *rows, uint32_t oid)
{
    int low = 0, high = pg_rows_count(rows);
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (oid_at(rows, middle, TABLE_OID) < oid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    assert(low >= 0 && low <= pg_rows_count(rows));
    return low;
}

static void add_columns(struct pg_table *table, const struct pg_rows *rows)
{
    int count = pg_rows_count(rows);
    for (int row = first_row(rows, table->oid);
         row < count && oid_at(rows, row, TABLE_OID) == table->oid; row++) {
        add_column(table->shape, rows, row);
    }
}

static enum outcome read_columns(struct pg_connection *connection, struct pg_found *found,
                                 size_t count, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    struct buf oids = {0};
    for (size_t i = 0; i < count; i++) {
        if (found[i].table != NULL) {
            buf_printf(&oids, "%s%" PRIu32, oids.length == 0 ? "{" : ",", found[i].table->oid);
        }
    }
    if (oids.length == 0) {
        return OUTCOME_OK;
    }
    buf_append_byte(&oids, '}');
    const char *values[] = {buf_string(&oids)};
    enum outcome outcome =
        pg_query(connection, sql_catalog_columns, PG_PARAMS(values), &rows, failure);
    for (size_t i = 0; outcome == OUTCOME_OK && i < count; i++) {
        if (found[i].table != NULL) {
            add_columns(found[i].table, rows);
        }
    }
    pg_rows_free(rows);
    buf_fini(&oids);
    return outcome;
}

/* From a row of catalog-table.sql. */
static struct pg_table *new_table(const struct pg_rows *rows, int row)
{
    struct pg_table *table = memory_alloc(sizeof(*table));
    table->oid = oid_at(rows, row, 1);
    table->shape = table_shape_new();
    table->shape->schema = memory_copy(pg_rows_slice(rows, row, 2));
    table->shape->name = memory_copy(pg_rows_slice(rows, row, 3));
    table->shape->kind = pg_rows_text(rows, row, 4)[0];
    table->can_insert = pg_rows_is_true(rows, row, 5);
    table->can_update = pg_rows_is_true(rows, row, 6);
    table->can_select = pg_rows_is_true(rows, row, 7);
    table->copy_works = pg_rows_is_true(rows, row, 8);
    return table;
}

static void drop_found(struct pg_found *found, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert(!(found[i].table != NULL && found[i].failed)); /* never both */
        pg_table_free(found[i].table);
        found[i] = (struct pg_found){0};
    }
}

/* Reads all of these tables, or none: after a failure every `found` is empty. Two statements, one
 * for the tables and one for the columns of those that are there. */
static enum outcome read_tables(struct pg_connection *connection, const char *const *names,
                                size_t count, struct pg_found *found, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    struct buf array = {0};

    pg_quote_array(&array, names, count);
    const char *values[] = {buf_string(&array)};
    enum outcome outcome =
        pg_query(connection, sql_catalog_table, PG_PARAMS(values), &rows, failure);
    for (int row = 0; outcome == OUTCOME_OK && row < pg_rows_count(rows); row++) {
        uint32_t place = oid_at(rows, row, 0);

        if (place >= 1 && place <= count && found[place - 1].table == NULL) {
            found[place - 1].table = new_table(rows, row);
        }
    }
    if (outcome == OUTCOME_OK) {
        outcome = read_columns(connection, found, count, failure);
    }
    if (outcome != OUTCOME_OK) {
        drop_found(found, count);
    }
    pg_rows_free(rows);
    buf_fini(&array);
    return outcome;
}

/* Reads these tables, and finds the names that can't be read. One such name (of another database,
 * or in a schema without USAGE) makes the whole statement fail. Halving finds it in log2(count)
 * steps, and still reads the others many at a time. The recursion is at most 8 deep
 * (TABLES_AT_ONCE). */
static enum outcome read_or_halve(struct pg_connection *connection, const char *const *names,
                                  size_t count, struct pg_found *found, struct pg_failure *failure)
{
    enum outcome outcome = read_tables(connection, names, count, found, failure);
    size_t half = count / 2;

    assert(count > 0);

    if (outcome == OUTCOME_OK || !pg_is_connected(connection)) {
        return outcome;
    }
    if (count == 1) {
        found[0] = (struct pg_found){.failed = true, .failure = *failure};
        return OUTCOME_OK;
    }
    assert(half > 0 && half < count); /* so the halving comes to an end */
    outcome = read_or_halve(connection, names, half, found, failure);
    return outcome != OUTCOME_OK
               ? outcome
               : read_or_halve(connection, names + half, count - half, found + half, failure);
}

enum outcome pg_catalog_tables(struct pg_connection *connection, const char *const *names,
                               size_t count, struct pg_found *found, struct pg_failure *failure)
{
    enum outcome outcome = OUTCOME_OK;

    assert(count == 0 || names != NULL);
    memset(found, 0, count * sizeof(*found));
    for (size_t at = 0; at < count && outcome == OUTCOME_OK; at += TABLES_AT_ONCE) {
        size_t left = count - at;
        outcome = read_or_halve(connection, names + at,
                                left < TABLES_AT_ONCE ? left : TABLES_AT_ONCE, found + at, failure);
    }
    if (outcome != OUTCOME_OK) {
        drop_found(found, count);
    }
    return outcome;
}

enum outcome pg_catalog_table(struct pg_connection *connection, struct slice name,
                              struct pg_table **table, struct pg_failure *failure)
{
    struct pg_found found;
    char *text = memory_copy(name);
    enum outcome outcome =
        pg_catalog_tables(connection, (const char *const[]){text}, 1, &found, failure);

    free(text);
    assert(outcome == OUTCOME_OK || (found.table == NULL && !found.failed));
    if (outcome == OUTCOME_OK && found.failed) {
        *failure = found.failure;
        outcome = OUTCOME_RETRY;
    }
    *table = found.table;
    return outcome;
}

const char *pg_table_denied(const struct pg_table *table, const char *const *names, size_t count)
{
    assert(count == 0 || names != NULL);
    for (size_t i = 0; i < count; i++) {
        const struct column_shape *column = table_shape_find(table->shape, slice_of(names[i]));

        if (column != NULL && column->denied && !column->generated) {
            return names[i];
        }
    }
    return NULL;
}

void pg_table_free(struct pg_table *table)
{
    if (table != NULL) {
        table_shape_free(table->shape);
        free(table);
    }
}

enum outcome pg_catalog_unique(struct pg_connection *connection, const struct pg_key *key,
                               bool *found, struct pg_failure *failure)
{
    const struct pg_table *table = key->table;
    struct pg_rows *rows = NULL;
    struct buf names = {0};
    char oid[16];

    *found = table->shape->kind == 'v' || table->shape->kind == 'f';
    if (*found) {
        return OUTCOME_OK;
    }
    assert(table->oid != 0);
    snprintf(oid, sizeof(oid), "%" PRIu32, table->oid);
    pg_quote_array(&names, key->columns, key->count);
    const char *values[] = {oid, key->count > 0 ? buf_string(&names) : NULL};
    enum outcome outcome =
        pg_query(connection, sql_catalog_unique, PG_PARAMS(values), &rows, failure);
    if (outcome == OUTCOME_OK) {
        *found = pg_rows_is_true(rows, 0, 0);
    }
    pg_rows_free(rows);
    buf_fini(&names);
    return outcome;
}

void pg_catalog_suggest(struct pg_connection *connection, const char *name, struct buf *hint)
{
    const char *values[] = {name};
    struct pg_rows *rows = NULL;
    struct pg_failure ignored;

    if (pg_query(connection, sql_catalog_similar, PG_PARAMS(values), &rows, &ignored) ==
            OUTCOME_OK &&
        pg_rows_count(rows) > 0) {
        struct slice meant = pg_rows_slice(rows, 0, 0);

        buf_append_text(hint, " (did you mean \"");
        for (size_t i = 0; i < meant.length; i++) {
            buf_append_text(hint, meant.data[i] == '"' ? "\\" : "");
            buf_append(hint, &meant.data[i], 1);
        }
        buf_append_text(hint, "\"?)");
    }
    pg_rows_free(rows);
}

enum outcome pg_catalog_partition_gap(struct pg_connection *connection,
                                      const struct pg_table *table, char when[16],
                                      struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    char oid[16];
    const char *values[] = {oid};

    when[0] = '\0';
    if (table->shape->kind != 'p') {
        return OUTCOME_OK;
    }
    snprintf(oid, sizeof(oid), "%" PRIu32, table->oid);
    enum outcome outcome =
        pg_query(connection, sql_catalog_partitions, PG_PARAMS(values), &rows, failure);
    if (outcome == OUTCOME_OK && pg_rows_count(rows) > 0) {
        snprintf(when, 16, "%s", pg_rows_text(rows, 0, 0));
    }
    pg_rows_free(rows);
    return outcome;
}
