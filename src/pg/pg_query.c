/* Statements and their rows; the contract stands in pg_connection.h.
 *
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "pg/pg_quote.h"
#include "pg/pg_session.h"

struct pg_rows {
    PGresult *result; /* owned */
};

/* Sends a Query message of the simple protocol. Several statements in one message are one implicit
 * transaction, unless they hold BEGIN or COMMIT (PostgreSQL's documentation, "Simple Query"). */
static enum outcome send_simple(struct pg_connection *connection, const char *sql,
                                struct pg_failure *failure)
{
    if (connection->pg == NULL) {
        return pg_session_lost(connection, failure);
    }
    pg_session_begin(connection);
    if (PQsendQuery(connection->pg, sql) == 0) {
        return pg_session_lost(connection, failure);
    }
    return pg_session_flush(connection, failure);
}

static void note_round_trip(struct pg_connection *connection, int64_t started_us)
{
    int64_t took_us = clock_monotonic_us() - started_us;

    assert(took_us >= 0);
    if (connection->round_trip_us == 0 || took_us < connection->round_trip_us) {
        connection->round_trip_us = took_us;
    }
}

enum outcome pg_run(struct pg_connection *connection, const char *sql, struct pg_failure *failure)
{
    int64_t started_us = clock_monotonic_us();
    enum outcome outcome = send_simple(connection, sql, failure);
    if (outcome == OUTCOME_OK) {
        outcome = pg_session_finish(connection, NULL, NULL, NULL, failure);
        note_round_trip(connection, started_us);
    }
    return outcome;
}

static enum outcome cut_off(struct pg_connection *connection, const char *when,
                            struct pg_failure *failure)
{
    pg_disconnect(connection);
    return pg_failure_set(failure, SQL_RECONNECT, "fault point: connection cut %s COMMIT", when);
}

enum outcome pg_commit(struct pg_connection *connection, struct pg_failure *failure)
{
    PGresult *result = NULL;

    if (FAULT("pg.commit.before")) {
        return cut_off(connection, "before", failure);
    }
    enum outcome outcome = send_simple(connection, "commit", failure);
    if (outcome == OUTCOME_OK && FAULT("pg.commit.sent")) {
        return cut_off(connection, "after sending", failure);
    }
    if (outcome == OUTCOME_OK) {
        outcome = pg_session_finish(connection, NULL, NULL, &result, failure);
    }
    if (outcome == OUTCOME_OK && (result == NULL || strcmp(PQcmdStatus(result), "COMMIT") != 0)) {
        outcome =
            pg_failure_set(failure, SQL_RETRY, "the transaction had failed and was rolled back");
    }
    if (outcome == OUTCOME_OK && FAULT("pg.commit.after")) {
        outcome = cut_off(connection, "after", failure);
    }
    PQclear(result);
    return outcome;
}

enum outcome pg_query(struct pg_connection *connection, const char *sql, struct pg_params params,
                      struct pg_rows **rows, struct pg_failure *failure)
{
    PGresult *result = NULL;
    int64_t started_us = clock_monotonic_us();

    *rows = NULL;
    assert(params.count == 0 || params.values != NULL);
    if (connection->pg == NULL) {
        return pg_session_lost(connection, failure);
    }
    pg_session_begin(connection);
    if (PQsendQueryParams(connection->pg, sql, params.count, NULL, params.values, NULL, NULL, 0) ==
        0) {
        return pg_session_lost(connection, failure);
    }
    enum outcome outcome = pg_session_flush(connection, failure);
    if (outcome == OUTCOME_OK) {
        outcome = pg_session_finish(connection, NULL, NULL, &result, failure);
    }
    if (outcome == OUTCOME_OK) {
        note_round_trip(connection, started_us);
        *rows = memory_alloc(sizeof(**rows));
        (*rows)->result = result;
    }
    return outcome;
}

enum outcome pg_query_schema(struct pg_connection *connection, const char *sql,
                             struct pg_params params, struct pg_rows **rows,
                             struct pg_failure *failure)
{
    struct buf text = {0};
    pg_append_for_schema(&text, sql, pg_schema(connection));
    enum outcome outcome = pg_query(connection, buf_string(&text), params, rows, failure);
    buf_fini(&text);
    if (outcome != OUTCOME_OK && strcmp(failure->sqlstate, "42703") == 0) {
        pg_failure_append(failure, "; the bridge's own tables are of an earlier version: run "
                                   "`mqtt2pg schema | psql` as their owner");
    }
    return outcome;
}

enum outcome pg_run_own(struct pg_connection *connection, const char *sql,
                        struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    enum outcome outcome = pg_query(connection, sql, PG_NO_PARAMS, &rows, failure);

    assert((outcome == OUTCOME_OK) == (rows != NULL));
    pg_rows_free(rows);
    if (outcome == OUTCOME_OK && PQtransactionStatus(connection->pg) != PQTRANS_INTRANS) {
        outcome = pg_failure_set(failure, SQL_STOP, "a rule's own SQL has ended the transaction");
    }
    return outcome;
}

int pg_rows_count(const struct pg_rows *rows)
{
    return PQntuples(rows->result);
}

const char *pg_rows_text(const struct pg_rows *rows, int row, int column)
{
    assert(row >= 0 && column >= 0);
    bool null = PQgetisnull(rows->result, row, column) != 0;
    return null ? NULL : PQgetvalue(rows->result, row, column);
}

struct slice pg_rows_slice(const struct pg_rows *rows, int row, int column)
{
    const char *text = pg_rows_text(rows, row, column);
    size_t length = text == NULL ? 0 : (size_t) PQgetlength(rows->result, row, column);
    return slice_make(text, length);
}

bool pg_rows_is_true(const struct pg_rows *rows, int row, int column)
{
    return slice_is(pg_rows_slice(rows, row, column), "t");
}

int64_t pg_rows_integer(const struct pg_rows *rows, int row, int column)
{
    const char *text = pg_rows_text(rows, row, column);
    return text == NULL ? 0 : strtoll(text, NULL, 10);
}

static int hex_digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* Reads a bytea in the older "escape" form: behind a pooler bytea_output is whatever the session
 * has, as another client may have set it. */
static void append_escaped(struct buf *out, struct slice text)
{
    size_t length = 0;
    unsigned char *bytes = PQunescapeBytea((const unsigned char *) text.data, &length);
    if (bytes != NULL) {
        buf_append(out, bytes, length);
        PQfreemem(bytes);
    }
}

/* The usual form is hex, with lower-case digits only (hex_encode() of PostgreSQL), because
 * pg_setup.c sets bytea_output. */
void pg_rows_bytes(const struct pg_rows *rows, int row, int column, struct buf *out)
{
    struct slice hex = pg_rows_slice(rows, row, column);
    if (hex.length < 2 || hex.data[0] != '\\' || hex.data[1] != 'x') {
        if (hex.length > 0) {
            append_escaped(out, hex);
        }
        return;
    }
    char *at = buf_reserve(out, hex.length / 2);
    size_t count = hex.length / 2 - 1;

    assert(2 + 2 * count <= hex.length);
    for (size_t i = 0; i < count; i++) {
        const char *digits = hex.data + 2 + 2 * i;
        at[i] = (char) (hex_digit(digits[0]) << 4 | hex_digit(digits[1]));
    }
    out->length += count;
}

int64_t pg_rows_affected(const struct pg_rows *rows)
{
    return strtoll(PQcmdTuples(rows->result), NULL, 10);
}

void pg_rows_free(struct pg_rows *rows)
{
    if (rows != NULL) {
        PQclear(rows->result);
        free(rows);
    }
}
