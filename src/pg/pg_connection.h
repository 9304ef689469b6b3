/*
 * pg_connection: one connection to PostgreSQL on which nothing waits without a deadline.
 *
 * The functions are in pg_connection.c (connecting), pg_query.c (statements) and pg_copy.c (COPY);
 * all three use pg_session.c, which also closes the connection.
 *
 * libpq is used in non-blocking mode with poll(2) and a deadline of our own on every step, because
 * neither keepalives nor tcp_user_timeout notice a stopped server process, and neither works on a
 * Unix socket. When a deadline passes, the connection is closed; whether a COMMIT took effect is
 * then read from `progress`.
 *
 * One thread (the loader) per connection.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_PG_CONNECTION_H
#define MQTT2PG_PG_PG_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/outcome.h"
#include "pg/pg_failure.h"

struct pg_options {
    const char *conninfo;      /* libpq's string or URI; borrowed, like all texts */
    const char *conninfo_file; /* read again at each attempt to connect; NULL = none */
    const char *password;      /* of password_file; NULL = as conninfo says */
    const char *password_file; /* read again at each attempt to connect; NULL = none */
    const char *schema;        /* of the bridge's own tables, "mqtt2pg" */
    const char *client_id;     /* whose rows of those tables */
    int64_t connect_ms;        /* for all hosts together */
    /* How long one statement or one COPY may go without progress: no byte sent and none
     * received. */
    int64_t statement_ms;
};

struct pg_connection;

struct pg_connection *pg_connection_new(const struct pg_options *options);
void pg_connection_free(struct pg_connection *connection);

/* Can libpq read this conninfo? OUTCOME_REJECT with a reason that quotes no part of the conninfo.
 * For `check` and at start. */
enum outcome pg_check_conninfo(const char *conninfo, struct error *error) MUST_CHECK;

/*
 * Connects (again), checks that the server is PostgreSQL 12 or later, takes writes and speaks
 * UTF-8, sets client_encoding UTF8, DateStyle ISO, synchronous_commit as the server has it,
 * application_name mqtt2pg unless given. Terminates this process's previous backend, if it is still
 * there: it may hold the lock on our progress row behind a dead network. Several hosts are tried in
 * turn, each with its share of connect_ms. A server that takes no writes is refused. OUTCOME_RETRY
 * with a one-line reason that says what to do for the usual mistakes: refused, no such host,
 * password, database or role missing. The look-up of a host's name is libpq's, which waits for the
 * resolver without our deadline.
 */
enum outcome pg_connect(struct pg_connection *connection, struct error *error) MUST_CHECK;
void pg_disconnect(struct pg_connection *connection);

/* Looks at the socket without waiting, to notice a server that went away between statements. */
bool pg_is_connected(struct pg_connection *connection);

/* What the server said with FATAL or PANIC before it closed the connection; "" = nothing since
 * pg_connect() began. Borrowed. */
const char *pg_last_words(const struct pg_connection *connection);

/* Is there a connection pooler (PgBouncer) between us and the server? If so, each transaction may
 * run in another session, so locks and settings of a session can't be used. */
bool pg_is_pooled(const struct pg_connection *connection);

/* How far away the server is: the shortest time, in microseconds, in which this connection has
 * answered a statement. 0 before the first answer. */
int64_t pg_round_trip_us(const struct pg_connection *connection);

/* How far this machine's wall clock is ahead of the server's, in seconds; negative: behind. By
 * the latest statement that asked: pg_connect() and bridge_row_write() do. 0: the clocks agree as
 * far as the round trip shows. */
int64_t pg_clock_ahead_seconds(const struct pg_connection *connection);

/* The values of the options; valid as long as the connection. */
const char *pg_schema(const struct pg_connection *connection);
const char *pg_client_id(const struct pg_connection *connection);

/* How long a statement may go without progress before the connection is given up. */
int64_t pg_statement_ms(const struct pg_connection *connection);

/* "db.example:5432/telemetry as bridge", for logs and status; without the password. */
const char *pg_target(const struct pg_connection *connection);

/* Makes every wait end at once, this one and all later ones (shutdown's deadline). Any thread. */
void pg_interrupt(struct pg_connection *connection);

/*
 * While this connection waits for the server, it calls `step` again and again instead of sleeping,
 * until `step` returns false. `step` must be short, because the answer may have come meanwhile, and
 * must not use this connection. NULL, as at first: the connection sleeps.
 */
void pg_meanwhile(struct pg_connection *connection, bool (*step)(void *context), void *context);

/*
 * Runs one or more statements without parameters (simple protocol). OUTCOME_OK, or OUTCOME_RETRY
 * with `failure` filled; after SQL_RECONNECT and SQL_READ_WRITE the connection is closed.
 */
enum outcome pg_run(struct pg_connection *connection, const char *sql,
                    struct pg_failure *failure) MUST_CHECK;

/*
 * Runs one statement of a rule's own SQL inside a transaction, and ignores the rows that it
 * returns. Uses the extended protocol, which takes one statement a message. SQL_STOP when the
 * statement has ended the transaction nevertheless: a part of the batch may be committed together
 * with the new position.
 */
enum outcome pg_run_own(struct pg_connection *connection, const char *sql,
                        struct pg_failure *failure) MUST_CHECK;

/*
 * Sends COMMIT. Unlike pg_run(), it treats the tag ROLLBACK, with which PostgreSQL answers COMMIT
 * of a failed transaction, as a failure (SQL_RETRY). After SQL_RECONNECT the outcome is unknown
 * until the row of `progress` is read. Fault points "pg.commit.before", "pg.commit.sent" (the reply
 * is not waited for) and "pg.commit.after".
 */
enum outcome pg_commit(struct pg_connection *connection, struct pg_failure *failure) MUST_CHECK;

/* The parameters of a statement, as texts; NULL = null. Borrowed. */
struct pg_params {
    const char *const *values;
    int count;
};
#define PG_NO_PARAMS ((struct pg_params){.count = 0})
/* The parameters in an array. */
#define PG_PARAMS(array) \
    ((struct pg_params){.values = (array), .count = (int) (sizeof(array) / sizeof((array)[0]))})

/* Runs one statement and returns its rows. */
struct pg_rows; /* a result; freed by pg_rows_free() */
enum outcome pg_query(struct pg_connection *connection, const char *sql, struct pg_params params,
                      struct pg_rows **rows, struct pg_failure *failure) MUST_CHECK;
/* pg_query() for the bridge's own tables: `sql` calls their schema mqtt2pg. */
enum outcome pg_query_schema(struct pg_connection *connection, const char *sql,
                             struct pg_params params, struct pg_rows **rows,
                             struct pg_failure *failure) MUST_CHECK;

/* Rows and columns count from 0. */
int pg_rows_count(const struct pg_rows *rows);
/* The field as a C string, which the rows own; NULL = null. A row or column that does not exist is
 * null, too (libpq's PQgetisnull()). */
const char *pg_rows_text(const struct pg_rows *rows, int row, int column);
struct slice pg_rows_slice(const struct pg_rows *rows, int row, int column);
/* A boolean field: is it true? False for null. */
bool pg_rows_is_true(const struct pg_rows *rows, int row, int column);
/* A whole number; 0 for null. */
int64_t pg_rows_integer(const struct pg_rows *rows, int row, int column);
/* Decodes a bytea field (text form "\x…") and appends its bytes; nothing for null. */
void pg_rows_bytes(const struct pg_rows *rows, int row, int column, struct buf *out);
/* How many rows an INSERT, UPDATE or DELETE has written, by the command tag. */
int64_t pg_rows_affected(const struct pg_rows *rows);
void pg_rows_free(struct pg_rows *rows);

/* The rows of one COPY … FROM STDIN. */
struct pg_stream {
    const char *relation;      /* its target, without schema and quotes; borrowed */
    const struct slice *parts; /* header, rows, trailer; borrowed */
    size_t count;
    int64_t affected; /* rows, by the command tag */
};

/* Several statements in one Query message, COPY … FROM STDIN among them. */
struct pg_query {
    const char *sql;           /* borrowed */
    struct pg_stream *streams; /* one for each COPY, in order; borrowed */
    size_t count;
    size_t done;      /* statements that succeeded, from the first */
    bool rolled_back; /* the last of them was a COMMIT that answered ROLLBACK */
};

/*
 * Sends the statements in one message, and each stream when the server asks for it; notices an
 * early error between chunks. After the first failure the rest is skipped. Costs one round trip and
 * one for each stream. `failure.line` is the row of a COPY when the server names it reliably. Takes
 * 256 KB of memory, however large the streams are.
 */
enum outcome pg_query_run(struct pg_connection *connection, struct pg_query *query,
                          struct pg_failure *failure) MUST_CHECK;

/* Runs one COPY. */
enum outcome pg_copy(struct pg_connection *connection, const char *sql, const struct slice *parts,
                     size_t count, struct pg_failure *failure) MUST_CHECK;

#endif
