/* SPDX-License-Identifier: MIT */
#include "pg/pg_setup.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "pg/pg_clock.h"
#include "pg/pg_session.h"
#include "sql_text.h"

enum {
    VERSION_MIN = 120000,   /* generated columns; what sql/ uses */
    PREVIOUS_END_MS = 2000, /* how long to wait until our previous backend has ended */
    PREVIOUS_PAUSE_MS = 20,
};

/* The columns of session-state.sql. */
enum { VERSION, ENCODING, READ_ONLY, STANDBY, PID, START_US, CLOCK_US, STATE_COLUMNS };

/* A pooler keeps these settings for each client. Other settings would affect its other clients. */
static const char pooled_settings[] = "set datestyle = iso; set standard_conforming_strings = on";

static const char settings[] =
    "set datestyle = iso; set intervalstyle = postgres; "
    "set standard_conforming_strings = on; set bytea_output = hex; "
    /* A backend whose client's host has died must not hold our locks for two hours. */
    "set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; "
    "set tcp_keepalives_count = 3";

/* Ends our previous backend, which may hold the lock on our progress row behind a dead network, and
 * waits until it is gone. A backend whose COMMIT waits for a synchronous standby is left alone. */
static enum outcome end_previous(struct pg_connection *connection, struct pg_failure *failure)
{
    char pid[16];
    char start_us[24];
    snprintf(pid, sizeof(pid), "%d", connection->previous_pid);
    snprintf(start_us, sizeof(start_us), "%lld", (long long) connection->previous_start_us);
    const char *values[] = {pid, start_us};
    int64_t end_ms = clock_monotonic_ms() + PREVIOUS_END_MS;
    bool there = connection->previous_pid != 0;

    while (there && clock_monotonic_ms() < end_ms) {
        struct pg_rows *rows = NULL;
        if (pg_query(connection, sql_session_end_previous, PG_PARAMS(values), &rows, failure) !=
            OUTCOME_OK) {
            return OUTCOME_RETRY;
        }
        there = pg_rows_count(rows) > 0;
        bool waits = there && slice_is(pg_rows_slice(rows, 0, 0), "waits");
        pg_rows_free(rows);
        if (waits) {
            return pg_failure_set(failure, SQL_RECONNECT,
                                  "COMMIT waits for a synchronous standby (pid %d)",
                                  connection->previous_pid);
        }
        if (there) {
            connection->deadline_ms = clock_monotonic_ms() + PREVIOUS_PAUSE_MS;
            (void) pg_session_wait(connection, -1, 0, failure);
        }
    }
    connection->previous_pid = 0;
    return OUTCOME_OK;
}

/* Is this a server that we can work with? The answer may come from a program that only looks like
 * PostgreSQL, so `rows` may have any content. `error` says what to change. */
static enum outcome check_server(struct pg_connection *connection, const struct pg_rows *rows,
                                 struct error *error)
{
    for (int column = VERSION; column < START_US; column++) {
        if (pg_rows_count(rows) != 1 || pg_rows_text(rows, 0, column) == NULL) {
            return error_set(error, OUTCOME_RETRY, "%s does not answer like PostgreSQL",
                             connection->target);
        }
    }
    long version = strtol(pg_rows_text(rows, 0, VERSION), NULL, 10);
    const char *encoding = pg_rows_text(rows, 0, ENCODING);

    assert(encoding != NULL); /* the loop has looked */
    if (version < VERSION_MIN) {
        return error_set(error, OUTCOME_RETRY, "%s is PostgreSQL %ld, mqtt2pg needs %d or later",
                         connection->target, version / 10000, VERSION_MIN / 10000);
    }
    if (strcmp(encoding, "UTF8") != 0) {
        return error_set(error, OUTCOME_RETRY,
                         "database \"%s\" has the encoding %s, mqtt2pg needs UTF8: "
                         "create the database with encoding 'UTF8'",
                         PQdb(connection->pg), encoding);
    }
    if (pg_rows_is_true(rows, 0, READ_ONLY)) {
        return error_set(error, OUTCOME_RETRY, "%s takes no writes, %s", connection->target,
                         pg_rows_is_true(rows, 0, STANDBY)
                             ? "it is a standby: name the primary in database.conninfo"
                             : "it is read-only: see default_transaction_read_only");
    }
    return OUTCOME_OK;
}

/*
 * After a failover the old primary may come back and take writes that nobody will keep. Its
 * timeline is lower than that of the server which was promoted. A server that does not tell its
 * timeline (managed services) is accepted.
 */
static enum outcome check_timeline(struct pg_connection *connection, struct error *error)
{
    struct pg_rows *rows = NULL;
    struct pg_failure failure;
    enum outcome outcome =
        pg_query(connection, sql_session_timeline, PG_NO_PARAMS, &rows, &failure);

    if (outcome != OUTCOME_OK) {
        return connection->pg != NULL ? OUTCOME_OK
                                      : error_set(error, OUTCOME_RETRY, "%s", failure.message);
    }
    const char *system = pg_rows_text(rows, 0, 0);
    int64_t timeline = strtoll(pg_rows_slice(rows, 0, 1).data, NULL, 10);
    if (system != NULL && strcmp(system, connection->system) == 0 &&
        timeline < connection->timeline) {
        outcome = error_set(error, OUTCOME_RETRY,
                            "%s is the old primary: its timeline is %" PRId64 ", and %" PRId64
                            " was seen; stop it or make it a standby (a restart of mqtt2pg takes "
                            "it all the same)",
                            connection->target, timeline, connection->timeline);
        /* Logged even if the next host works: a person must fence this server. */
        log_warn("a database server is passed over", F_TEXT("reason", error->text));
    } else if (system != NULL) {
        snprintf(connection->system, sizeof(connection->system), "%s", system);
        connection->timeline = timeline;
    }
    pg_rows_free(rows);
    return outcome;
}

/* Sets the session's settings. Behind a pooler first tries an empty transaction: a pooler in
 * statement mode (PgBouncer) refuses it. A pooler is recognized by the backend's pid: libpq got one
 * at the start that the pooler made up, and the server returns the real one. */
static enum outcome begin_session(struct pg_connection *connection, struct pg_failure *failure)
{
    bool was_pooled = connection->pooled;

    assert(connection->pg != NULL);
    connection->pooled = connection->server_pid != PQbackendPID(connection->pg);
    if (!connection->pooled) {
        return pg_run(connection, settings, failure);
    }
    enum outcome outcome = pg_run(connection, "begin", failure);
    if (outcome == OUTCOME_OK) {
        outcome = pg_commit(connection, failure);
    }
    if (outcome != OUTCOME_OK && strstr(failure->message, "statement pooling") != NULL) {
        return pg_failure_set(failure, SQL_RECONNECT,
                              "%s is a pooler in statement mode, which forbids transactions: set "
                              "pool_mode = transaction or session for this database",
                              connection->target);
    }
    if (outcome == OUTCOME_OK && !was_pooled) {
        log_info("behind a connection pooler: the identity is a row of the table bridge",
                 F_TEXT("database", connection->target));
    }
    return outcome == OUTCOME_OK ? pg_run(connection, pooled_settings, failure) : outcome;
}

enum outcome pg_setup_session(struct pg_connection *connection, struct error *error)
{
    struct pg_failure failure = {0};
    struct pg_rows *rows = NULL;
    struct pg_clock_sent sent = pg_clock_now();

    /* pg_disconnect() has put the number of the backend before aside: previous_pid. */
    assert(connection->pg != NULL && connection->pid == 0);
    enum outcome outcome = pg_query(connection, sql_session_state, PG_NO_PARAMS, &rows, &failure);

    if (outcome == OUTCOME_OK) {
        pg_clock_take(connection, sent, rows, CLOCK_US);
        outcome = check_server(connection, rows, error);
        if (outcome == OUTCOME_OK) {
            outcome = check_timeline(connection, error);
        }
        if (outcome != OUTCOME_OK) {
            goto end;
        }
        connection->server_pid = (int) strtol(pg_rows_text(rows, 0, PID), NULL, 10);
        outcome = begin_session(connection, &failure);
    }
    if (outcome == OUTCOME_OK) {
        outcome = end_previous(connection, &failure);
    }
    if (outcome != OUTCOME_OK) {
        error_set(error, OUTCOME_RETRY, "%s", failure.message);
        memcpy(error->sqlstate, failure.sqlstate, sizeof(error->sqlstate));
        goto end;
    }
    /* Behind a pooler the backend serves others too: it is never ended or watched. */
    if (!connection->pooled) {
        connection->pid = PQbackendPID(connection->pg);
        connection->start_us = strtoll(pg_rows_slice(rows, 0, START_US).data, NULL, 10);
    }
end:
    pg_rows_free(rows);
    return outcome;
}
