/* SPDX-License-Identifier: MIT */
#include "pg/pg_session.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/health.h"
#include "base/log.h"
#include "base/text.h"
#include "pg/pg_watch.h"

/* Keeps the backend's number and start: when the server has not noticed the end of this connection,
 * the next one ends that backend (pg_setup.c). */
void pg_disconnect(struct pg_connection *connection)
{
    /* Behind a pooler the backend also serves other clients: no pid is kept, and no backend is
     * ended. */
    assert(!connection->pooled || connection->pid == 0);
    PQfinish(connection->pg);
    connection->pg = NULL;
    connection->round_trip_us = 0;
    if (connection->pid != 0) {
        connection->previous_pid = connection->pid;
        connection->previous_start_us = connection->start_us;
        connection->pid = 0;
    }
}

/* PQconsumeInput() reads without waiting; PQisBusy() parses what was read, such as the FATAL of a
 * server that shuts down, which take_notice() keeps. */
bool pg_is_connected(struct pg_connection *connection)
{
    if (connection->pg != NULL) {
        bool alive = PQconsumeInput(connection->pg) != 0;
        PQisBusy(connection->pg); /* handles notices that have come */
        if (!alive || PQstatus(connection->pg) != CONNECTION_OK) {
            pg_disconnect(connection);
        }
    }
    return connection->pg != NULL;
}

const char *pg_last_words(const struct pg_connection *connection)
{
    return connection->last_words.message;
}

bool pg_is_pooled(const struct pg_connection *connection)
{
    return connection->pooled;
}

int64_t pg_round_trip_us(const struct pg_connection *connection)
{
    assert(connection->round_trip_us >= 0);
    return connection->round_trip_us;
}

const char *pg_schema(const struct pg_connection *connection)
{
    assert(connection->options.schema != NULL);
    return connection->options.schema;
}

const char *pg_client_id(const struct pg_connection *connection)
{
    assert(connection->options.client_id != NULL);
    return connection->options.client_id;
}

int64_t pg_statement_ms(const struct pg_connection *connection)
{
    assert(connection->options.statement_ms > 0);
    return connection->options.statement_ms;
}

const char *pg_target(const struct pg_connection *connection)
{
    return connection->target;
}

enum {
    /* after so long a look is worth it; less than the lock_timeout of a batch */
    LOOK_AFTER_MS = 1000,
    LOOK_AGAIN_MS = 10000, /* each look is a connection of its own */
    LOOK_MS = 2000,        /* how long a look may take */
};

void pg_session_begin(struct pg_connection *connection)
{
    int64_t now_ms = clock_monotonic_ms();

    connection->deadline_ms = now_ms + connection->patience_ms;
    /* At the latest just before the deadline, so that the error can say what the backend waits
     * for. */
    connection->look_ms =
        now_ms +
        (connection->patience_ms < LOOK_AFTER_MS ? connection->patience_ms : LOOK_AFTER_MS);
    if (connection->waits_for[0] != '\0') {
        connection->waits_for[0] = '\0';
        log_info("the database answers again", F_TEXT("database", connection->target));
        health_set(HEALTH_DATABASE, true, connection->target);
    }
}

/* Asks over a second connection what our backend waits for, within LOOK_MS, and reports it in log
 * and health. While COMMIT waits for a synchronous standby, the deadline moves with each look. */
static void look(struct pg_connection *connection)
{
    char text[sizeof(connection->waits_for)];
    const struct pg_watched watched = {.pg = connection->pg,
                                       .conninfo = connection->options.conninfo,
                                       .password = connection->options.password,
                                       .pid = connection->pid};
    assert(connection->pg != NULL && connection->pid != 0);
    enum pg_wait wait = pg_watch(&watched, LOOK_MS, text, sizeof(text));

    connection->look_ms = clock_monotonic_ms() + LOOK_AGAIN_MS;
    if (wait == PG_WAIT_STANDBY) {
        connection->deadline_ms = clock_monotonic_ms() + connection->patience_ms;
    }
    /* A slow disk is not reported; a lock, a standby or another server is. */
    if ((wait == PG_WAIT_STANDBY || wait == PG_WAIT_LOCK || wait == PG_WAIT_FOREIGN) &&
        strcmp(text, connection->waits_for) != 0) {
        memcpy(connection->waits_for, text, sizeof(text));
        log_warn("the database does not answer yet", F_TEXT("reason", text));
        health_set(HEALTH_DATABASE, false, text);
    }
}

static void say_timeout(const struct pg_connection *connection, struct pg_failure *failure)
{
    struct buf patience = {0};
    text_format_duration(&patience, connection->patience_ms);
    pg_failure_set(failure, SQL_RECONNECT, "no answer from %s for %s%s%s", connection->target,
                   buf_string(&patience), connection->waits_for[0] != '\0' ? ": it " : "",
                   connection->waits_for);
    buf_fini(&patience);
}

void pg_meanwhile(struct pg_connection *connection, bool (*step)(void *context), void *context)
{
    connection->step = step;
    connection->step_context = context;
}

/* Lets the caller of pg_meanwhile() work while the server works. A step that has nothing left to do
 * is not called again, and the wait sleeps from then on. */
static void do_step(struct pg_connection *connection)
{
    if (connection->step != NULL && !connection->step(connection->step_context)) {
        connection->step = NULL;
    }
}

short pg_session_wait(struct pg_connection *connection, int fd, short events,
                      struct pg_failure *failure)
{
    /* poll() ignores an fd of -1: then only the time and an interruption end the wait. */
    struct pollfd fds[] = {{.fd = connection->interrupt_fd, .events = POLLIN},
                           {.fd = fd, .events = events}};
    bool can_look = fd >= 0 && connection->pid != 0;

    assert(connection->deadline_ms > 0); /* pg_session_begin() was called */
    assert(connection->interrupt_fd >= 0);
    for (;;) {
        int64_t until_ms = can_look && connection->look_ms < connection->deadline_ms
                               ? connection->look_ms
                               : connection->deadline_ms;
        int64_t left_ms = until_ms - clock_monotonic_ms();
        int timeout_ms = left_ms < 0 ? 0 : left_ms > 60000 ? 60000 : (int) left_ms;
        int ready = poll(fds, 2, connection->step != NULL ? 0 : timeout_ms);
        if (ready < 0 && errno != EINTR) {
            pg_failure_set(failure, SQL_RECONNECT, "poll: %s", strerror(errno));
            return 0;
        }
        if (ready > 0 && fds[0].revents != 0) {
            pg_failure_set(failure, SQL_RECONNECT, "interrupted, for the service is stopping");
            return 0;
        }
        if (ready > 0) {
            return fds[1].revents;
        }
        do_step(connection);
        if (can_look && clock_monotonic_ms() >= connection->look_ms) {
            look(connection);
        }
        if (clock_monotonic_ms() >= connection->deadline_ms) {
            say_timeout(connection, failure);
            return 0;
        }
    }
}

void pg_session_end(struct pg_connection *connection, const struct pg_failure *failure)
{
    if (failure->fatal && failure->sqlstate[0] != '\0') {
        connection->last_words = *failure;
    }
    pg_disconnect(connection);
}

enum outcome pg_session_lost(struct pg_connection *connection, struct pg_failure *failure)
{
    if (connection->pg == NULL) {
        return pg_failure_set(failure, SQL_RECONNECT, "not connected");
    }
    if (connection->last_words.message[0] != '\0') {
        *failure = connection->last_words;
    } else {
        const char *message = PQerrorMessage(connection->pg);
        *failure = (struct pg_failure){.action = SQL_RECONNECT, .fatal = true};
        const struct pg_words words = {
            .primary = slice_of(message[0] != '\0' ? message : "connection lost")};
        pg_failure_say(failure, &words);
    }
    pg_disconnect(connection);
    return OUTCOME_RETRY;
}

/* The result of a wait. */
struct waited {
    bool writable;
    bool broken; /* libpq has noticed the end of the connection */
};

/* Waits, and reads what came. False when the wait failed: the connection is closed and `failure`
 * says why. An end of the connection that libpq notices is `broken`, not a failure: libpq still
 * hands out the results that came before. */
static bool wait_and_read(struct pg_connection *connection, short events, struct waited *waited,
                          struct pg_failure *failure)
{
    assert(connection->pg != NULL);
    short ready = pg_session_wait(connection, PQsocket(connection->pg), events, failure);
    if (ready == 0) {
        pg_disconnect(connection);
        return false;
    }
    *waited = (struct waited){.writable = (ready & POLLOUT) != 0};
    if ((ready & ~POLLOUT) != 0) {
        connection->inputs++;
        waited->broken = PQconsumeInput(connection->pg) == 0;
    }
    pg_session_begin(connection); /* bytes came: the deadline starts anew */
    return true;
}

enum outcome pg_session_flush(struct pg_connection *connection, struct pg_failure *failure)
{
    struct waited waited = {0};
    while (!waited.broken && PQflush(connection->pg) > 0) {
        if (!wait_and_read(connection, POLLIN | POLLOUT, &waited, failure)) {
            return OUTCOME_RETRY;
        }
    }
    return OUTCOME_OK;
}

enum outcome pg_session_wait_writable(struct pg_connection *connection, struct pg_failure *failure)
{
    struct waited waited = {0};
    while (!waited.broken && !waited.writable && PQstatus(connection->pg) == CONNECTION_OK) {
        if (!wait_and_read(connection, POLLIN | POLLOUT, &waited, failure)) {
            return OUTCOME_RETRY;
        }
    }
    return OUTCOME_OK;
}

enum outcome pg_session_next(struct pg_connection *connection, PGresult **result,
                             struct pg_failure *failure)
{
    struct waited waited = {0};
    *result = NULL;
    while (!waited.broken && PQisBusy(connection->pg)) {
        int unsent = PQflush(connection->pg);
        if (!wait_and_read(connection, unsent > 0 ? POLLIN | POLLOUT : POLLIN, &waited, failure)) {
            return OUTCOME_RETRY;
        }
    }
    *result = PQgetResult(connection->pg);
    return OUTCOME_OK;
}

static void copy_field(char *out, size_t size, const PGresult *result, int field)
{
    const char *text = PQresultErrorField(result, field);
    snprintf(out, size, "%s", text != NULL ? text : "");
}

static bool is_fatal(const PGresult *result)
{
    /* The severity that is never translated; PostgreSQL 9.6 and later send it. */
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

/*
 * Does the line in the context name the row at fault? COPY writes up to 1000 rows at a time. When
 * the table itself refuses one of them ("row is too big", 54000), the line is that of the row that
 * was read last. An index that refuses a row names the right line with the same SQLSTATE, but the
 * two cases can't be distinguished, so neither line is used. An internal error (XX000) may come
 * from anywhere. (CopyMultiInsertBufferFlush() in copyfrom.c sets the line for index insertions
 * only.)
 */
static bool line_is_true(const char *sqlstate)
{
    return strcmp(sqlstate, "54000") != 0 && strcmp(sqlstate, "XX000") != 0;
}

void pg_session_failure(const struct pg_connection *connection, const PGresult *result,
                        const char *relation, struct pg_failure *failure)
{
    assert(result != NULL);
    *failure = (struct pg_failure){0};
    copy_field(failure->sqlstate, sizeof(failure->sqlstate), result, PG_DIAG_SQLSTATE);
    copy_field(failure->constraint, sizeof(failure->constraint), result, PG_DIAG_CONSTRAINT_NAME);
    failure->fatal = is_fatal(result) || failure->sqlstate[0] == '\0';
    failure->action = sql_action_of(failure->sqlstate, failure->fatal);

    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (primary == NULL) {
        primary = PQresultErrorMessage(result);
    }
    const struct pg_words words = {
        .primary = slice_of(primary),
        .detail = slice_of(PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL)),
        .hint = slice_of(PQresultErrorField(result, PG_DIAG_MESSAGE_HINT)),
        .source = slice_of(PQresultErrorField(result, PG_DIAG_SOURCE_FILE)),
        .context = slice_of(PQresultErrorField(result, PG_DIAG_CONTEXT)),
        .role = slice_of(connection->pg == NULL ? NULL : PQuser(connection->pg))};
    pg_failure_say(failure, &words);
    if (failure->action == SQL_RULE &&
        pg_failure_is_syntax_of_value(failure->sqlstate, words.source)) {
        failure->action = SQL_ROW;
    }
    if (relation != NULL && failure->action == SQL_ROW) {
        const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);
        struct slice column = pg_failure_copy_column(context, slice_of(relation));

        /* A column is told while its value is read, one row at a time. */
        if (column.length > 0 || line_is_true(failure->sqlstate)) {
            failure->line = pg_failure_copy_line(context, slice_of(relation));
        }
        snprintf(failure->column, sizeof(failure->column), "%.*s", SLICE_ARGS(column));
    }
}

static bool is_copy(ExecStatusType status)
{
    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

static bool is_failure(ExecStatusType status)
{
    return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE;
}

/* A summary of the results that were read so far. */
struct finish {
    const struct pg_connection *connection; /* borrowed */
    PGresult *good;                         /* owned; the last that is no failure */
    bool failed;
    struct pg_failure failure; /* of the first failure with a SQLSTATE, else of the first */
};

/* Takes one result over. */
static void take_result(struct finish *finish, PGresult *result, const char *relation)
{
    if (is_failure(PQresultStatus(result))) {
        if (!finish->failed || finish->failure.sqlstate[0] == '\0') {
            pg_session_failure(finish->connection, result, relation, &finish->failure);
        }
        finish->failed = true;
        PQclear(result);
    } else {
        PQclear(finish->good);
        finish->good = result;
    }
}

static bool is_usable(const struct pg_connection *connection, const struct finish *finish)
{
    return !finish->failure.fatal && connection->pg != NULL &&
           PQstatus(connection->pg) == CONNECTION_OK;
}

enum outcome pg_session_finish(struct pg_connection *connection, PGresult *first,
                               const char *relation, PGresult **last, struct pg_failure *failure)
{
    PGresult *result = first;
    struct finish finish = {.connection = connection};
    struct pg_failure failed_wait;
    bool more = true;

    while (more) {
        if (result != NULL && is_copy(PQresultStatus(result))) {
            /* A rule's own SQL has started COPY FROM STDIN or TO STDOUT. The connection can't be
             * used before that COPY ends, so it is closed. */
            PQclear(result);
            pg_disconnect(connection);
            finish.failed = true;
            pg_failure_set(&finish.failure, SQL_RULE, "COPY with the client is not possible here");
            break;
        }
        if (result != NULL) {
            take_result(&finish, result, relation);
        }
        if (pg_session_next(connection, &result, &failed_wait) != OUTCOME_OK) {
            if (!finish.failed) {
                finish.failure = failed_wait;
            }
            finish.failed = true;
            break;
        }
        more = result != NULL;
    }

    if (finish.failed) {
        *failure = finish.failure;
        if (!is_usable(connection, &finish)) {
            pg_session_end(connection, failure);
        }
    }
    if (last != NULL && !finish.failed) {
        *last = finish.good;
    } else {
        PQclear(finish.good);
    }
    return finish.failed ? OUTCOME_RETRY : OUTCOME_OK;
}
