/* SPDX-License-Identifier: MIT */
#include "pg/add_column.h"

#include <assert.h>
#include <string.h>

#include "pg/pg_quote.h"
#include "pg/short_ddl.h"

/* The comment of an added column begins like this. */
static const char mark[] = "added by mqtt2pg: ";

static void append_sql(struct buf *sql, const char *relation, const struct new_column *column)
{
    struct buf comment = {0};

    buf_printf(sql, "alter table %s add column ", relation);
    pg_quote_identifier(sql, slice_of(column->name));
    buf_printf(sql, " %s; comment on column %s.", column->type, relation);
    pg_quote_identifier(sql, slice_of(column->name));
    buf_append_text(sql, " is ");
    buf_printf(&comment, "%s%s", mark, column->comment);
    pg_quote_literal(sql, buf_slice(&comment));
    buf_append_text(sql, ";");
    buf_fini(&comment);
}

/* The column exists already: did a bridge add it? */
static enum add_column_result look_at_comment(struct pg_connection *connection,
                                              const char *relation, const char *name,
                                              struct pg_failure *failure)
{
    static const char sql[] =
        "select pg_catalog.col_description(attrelid, attnum) from pg_catalog.pg_attribute "
        "where attrelid = $1::pg_catalog.regclass and attname = $2 and not attisdropped";
    const char *values[] = {relation, name};
    struct pg_rows *rows = NULL;
    const char *comment;
    enum add_column_result result = ADD_COLUMN_REFUSED;

    if (pg_query(connection, sql, PG_PARAMS(values), &rows, failure) != OUTCOME_OK) {
        return pg_is_connected(connection) ? ADD_COLUMN_REFUSED : ADD_COLUMN_LOST;
    }
    comment = pg_rows_count(rows) == 1 ? pg_rows_text(rows, 0, 0) : NULL;
    if (comment != NULL && strncmp(comment, mark, sizeof(mark) - 1) == 0) {
        result = ADD_COLUMN_DONE;
    } else {
        (void) pg_failure_set(failure, SQL_RETRY,
                              "the table has a column \"%s\" that is not the bridge's: name it in "
                              "columns of the rule",
                              name);
    }
    pg_rows_free(rows);
    return result;
}

/* 42701 (duplicate_column): an earlier process, another bridge or a person has made the column.
 * 42P01 (undefined_table), 3F000 (invalid_schema_name): the table is not there. */
static enum add_column_result refused(struct pg_connection *connection, const char *relation,
                                      const char *name, struct pg_failure *failure)
{
    if (strcmp(failure->sqlstate, "42701") == 0) {
        return look_at_comment(connection, relation, name, failure);
    }
    return strcmp(failure->sqlstate, "42P01") == 0 || strcmp(failure->sqlstate, "3F000") == 0
               ? ADD_COLUMN_NO_TABLE
               : ADD_COLUMN_REFUSED;
}

enum add_column_result add_column(struct pg_connection *connection, const struct new_column *column,
                                  struct pg_failure *failure)
{
    struct buf relation = {0};
    struct buf sql = {0};
    enum add_column_result result = ADD_COLUMN_DONE;

    assert(column->name != NULL && column->type != NULL && column->comment != NULL);
    if (!pg_quote_relation(&relation, slice_of(column->relation))) {
        (void) pg_failure_set(failure, SQL_RETRY, "\"%s\" is not the name of a table",
                              column->relation);
        buf_fini(&relation);
        return ADD_COLUMN_REFUSED;
    }
    append_sql(&sql, buf_string(&relation), column);
    switch (short_ddl_run(connection, buf_string(&sql), failure)) {
    case SHORT_DDL_DONE:
        break;
    case SHORT_DDL_LATER:
        result = ADD_COLUMN_LATER;
        break;
    case SHORT_DDL_LOST:
        result = ADD_COLUMN_LOST;
        break;
    case SHORT_DDL_REFUSED:
        result = refused(connection, buf_string(&relation), column->name, failure);
        break;
    }
    buf_fini(&sql);
    buf_fini(&relation);
    return result;
}
