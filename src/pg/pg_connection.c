/*
 * Connects and disconnects. Each host gets one attempt, which ends with a session that is set up
 * and checked, or with a reason.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pg/pg_connection.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"
#include "pg/pg_hosts.h"
#include "pg/pg_reason.h"
#include "pg/pg_session.h"
#include "pg/pg_setup.h"

struct pg_connection *pg_connection_new(const struct pg_options *options)
{
    struct pg_connection *connection = memory_alloc(sizeof(*connection));

    assert(options->conninfo != NULL);
    assert(options->connect_ms > 0 && options->statement_ms > 0);
    connection->options = *options;
    connection->options.conninfo = memory_strdup(options->conninfo);
    connection->options.conninfo_file = memory_strdup(options->conninfo_file);
    connection->options.password = memory_strdup(options->password);
    connection->options.password_file = memory_strdup(options->password_file);
    connection->options.schema = memory_strdup(options->schema);
    connection->options.client_id = memory_strdup(options->client_id);
    connection->patience_ms = options->statement_ms;
    snprintf(connection->target, sizeof(connection->target), "PostgreSQL");
    connection->interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (connection->interrupt_fd < 0) {
        perror("mqtt2pg: eventfd");
        abort();
    }
    return connection;
}

/* Overwrites the text before it is freed, so that no secret stays in free memory. */
static void forget_secret(const char **secret)
{
    char *text = (char *) *secret;

    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
    *secret = NULL;
}

/* Reads a secret again before each attempt, because a password, a token or an address may have
 * been renewed. `*secret` keeps its old value when the file can't be read: another attempt may
 * find it. */
static enum outcome read_file(const char *name, const char *file, const char **secret,
                              struct error *error)
{
    struct buf content = {0};

    if (file == NULL) {
        return OUTCOME_OK;
    }
    if (secret_load(file, &content, error) != OUTCOME_OK) {
        error_prefix(error, "%s", name);
        error->outcome = OUTCOME_RETRY;
        return OUTCOME_RETRY;
    }
    forget_secret(secret);
    *secret = memory_strdup(buf_string(&content));
    secret_forget(&content);
    return OUTCOME_OK;
}

static enum outcome read_files(struct pg_options *options, struct error *error)
{
    enum outcome outcome =
        read_file("database.conninfo_file", options->conninfo_file, &options->conninfo, error);

    if (outcome == OUTCOME_OK) {
        outcome =
            read_file("database.password_file", options->password_file, &options->password, error);
    }
    return outcome;
}

void pg_connection_free(struct pg_connection *connection)
{
    if (connection == NULL) {
        return;
    }
    pg_disconnect(connection);
    close(connection->interrupt_fd);
    forget_secret(&connection->options.conninfo);
    forget_secret(&connection->options.password);
    free((char *) connection->options.conninfo_file);
    free((char *) connection->options.password_file);
    free((char *) connection->options.schema);
    free((char *) connection->options.client_id);
    free(connection);
}

void pg_interrupt(struct pg_connection *connection)
{
    if (eventfd_write(connection->interrupt_fd, 1) < 0) {
        /* EAGAIN: the counter is full, so the descriptor is readable already. */
    }
}

enum outcome pg_check_conninfo(const char *conninfo, struct error *error)
{
    struct pg_hosts hosts = {0};
    enum outcome outcome = pg_hosts_read(&hosts, conninfo, error);
    pg_hosts_fini(&hosts);
    return outcome;
}

static void take_notice(void *context, const PGresult *result)
{
    struct pg_connection *connection = context;
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    struct pg_failure failure;

    connection->notices++;
    /* libpq treats an error that comes without a question as a notice: it is the reason why the
     * server closes the connection. */
    pg_session_failure(connection, result, NULL, &failure);
    if (failure.fatal && failure.sqlstate[0] != '\0') {
        connection->last_words = failure;
    }
    log_debug("notice from PostgreSQL", F_TEXT("notice", text));
}

static PGconn *start_attempt(const struct pg_connection *connection, const struct pg_host *host)
{
    /* A later keyword overrides an earlier one, unless its value is NULL. So "dbname", which libpq
     * expands as a whole conninfo, comes before the keywords that override its parts. */
    const char *keywords[] = {
        "fallback_application_name", "dbname", "host", "hostaddr", "port", "password",
        "client_encoding",           NULL};
    const char *values[] = {"mqtt2pg",  connection->options.conninfo, host->host, host->hostaddr,
                            host->port, connection->options.password, "UTF8",     NULL};
    return PQconnectStartParams(keywords, values, 1);
}

/* Lets libpq connect until the deadline. False when libpq has given up (its error message says
 * why), or when a wait has failed (`failure` says why). */
static bool finish_attempt(struct pg_connection *connection, struct pg_failure *failure)
{
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;
    while (step == PGRES_POLLING_READING || step == PGRES_POLLING_WRITING) {
        short events = step == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        if (pg_session_wait(connection, PQsocket(connection->pg), events, failure) == 0) {
            return false;
        }
        step = PQconnectPoll(connection->pg);
    }
    return step == PGRES_POLLING_OK;
}

static void write_target(struct pg_connection *connection)
{
    snprintf(connection->target, sizeof(connection->target), "%s:%s/%s as %s",
             PQhost(connection->pg), PQport(connection->pg), PQdb(connection->pg),
             PQuser(connection->pg));
}

static void say_why(const struct pg_connection *connection, const char *message,
                    struct error *error)
{
    struct buf reason = {0};
    char sqlstate[6];
    const struct pg_where where = {.host = PQhost(connection->pg),
                                   .port = PQport(connection->pg),
                                   .database = PQdb(connection->pg),
                                   .role = PQuser(connection->pg)};
    pg_reason_append(&reason, message, &where, sqlstate);
    error_set(error, OUTCOME_RETRY, "%s", buf_string(&reason));
    memcpy(error->sqlstate, sqlstate, sizeof(sqlstate));
    buf_fini(&reason);
}

/* Connects to one host within `share_ms`, and checks and sets up the session. After a failure the
 * connection is closed. Errors are verbose while connecting only: pg_reason reads the SQLSTATE and
 * the function in LOCATION out of the text, and later failures have fields for them. */
static enum outcome connect_host(struct pg_connection *connection, const struct pg_host *host,
                                 int64_t share_ms, struct error *error)
{
    struct pg_failure failure = {0};
    enum outcome outcome = OUTCOME_RETRY;

    assert(connection->pg == NULL);
    connection->patience_ms = share_ms;
    pg_session_begin(connection);
    connection->pg = start_attempt(connection, host);
    if (connection->pg == NULL) {
        return error_set(error, OUTCOME_RETRY, "libpq has no memory for a connection");
    }
    write_target(connection);
    PQsetErrorVerbosity(connection->pg, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(connection->pg, take_notice, connection);
    bool connected =
        PQstatus(connection->pg) != CONNECTION_BAD && finish_attempt(connection, &failure);
    if (connected) {
        write_target(connection);
        PQsetErrorVerbosity(connection->pg, PQERRORS_DEFAULT);
        PQsetnonblocking(connection->pg, 1);
        outcome = pg_setup_session(connection, error);
    } else if (failure.message[0] != '\0') {
        error_set(error, OUTCOME_RETRY, "%s", failure.message);
    } else {
        say_why(connection, PQerrorMessage(connection->pg), error);
    }
    if (outcome != OUTCOME_OK) {
        pg_disconnect(connection);
    }
    assert((outcome == OUTCOME_OK) == (connection->pg != NULL));
    connection->patience_ms = connection->options.statement_ms;
    connection->early_check_off = false;
    return outcome;
}

/* Why no host accepted the connection. */
struct reasons {
    struct buf all;
    struct buf of_name; /* of the addresses of the name that is tried */
};

static void add_reason(struct buf *reasons, const char *reason)
{
    buf_append_text(reasons, reasons->length > 0 ? "; " : "");
    buf_append_text(reasons, reason);
}

static void end_name(struct reasons *reasons)
{
    if (reasons->of_name.length > 0) {
        add_reason(&reasons->all, buf_string(&reasons->of_name));
    }
    buf_reset(&reasons->of_name);
}

/* Adds the reason of one address. For several addresses of one name, "connection refused" says less
 * than any answer: localhost may be ::1 first, while PostgreSQL listens on 127.0.0.1 only. */
static void add_address(struct reasons *reasons, const char *reason)
{
    if (strcmp(buf_string(&reasons->of_name), reason) == 0) {
        return; /* localhost as ::1 and as 127.0.0.1 */
    }
    if (reasons->of_name.length > 0 && pg_reason_is_refused(reason)) {
        return;
    }
    if (pg_reason_is_refused(buf_string(&reasons->of_name))) {
        buf_reset(&reasons->of_name);
    }
    add_reason(&reasons->of_name, reason);
}

/* Tries the hosts in turn until one accepts. Each gets an equal share of the time that is left. */
static enum outcome connect_any(struct pg_connection *connection, const struct pg_hosts *hosts,
                                int64_t end_ms, struct error *error)
{
    struct reasons reasons = {.all.length = 0};
    struct error reason = {0};
    enum outcome outcome = OUTCOME_RETRY;

    assert(hosts->count > 0);
    for (size_t i = 0; i < hosts->count && outcome != OUTCOME_OK; i++) {
        int64_t left_ms = end_ms - clock_monotonic_ms();
        if (!hosts->list[i].same_name) {
            end_name(&reasons);
        }
        outcome = connect_host(connection, &hosts->list[i], left_ms / (int64_t) (hosts->count - i),
                               &reason);
        if (outcome != OUTCOME_OK) {
            add_address(&reasons, reason.text);
        }
    }
    end_name(&reasons);
    assert(reasons.of_name.length == 0);
    if (outcome != OUTCOME_OK) {
        error_set(error, OUTCOME_RETRY, "%s", buf_string(&reasons.all));
        memcpy(error->sqlstate, reason.sqlstate, sizeof(error->sqlstate));
    }
    buf_fini(&reasons.all);
    buf_fini(&reasons.of_name);
    return outcome;
}

enum outcome pg_connect(struct pg_connection *connection, struct error *error)
{
    struct pg_hosts hosts = {0};

    pg_disconnect(connection);
    connection->last_words = (struct pg_failure){.message = ""};
    int64_t end_ms = clock_monotonic_ms() + connection->options.connect_ms;
    if (FAULT("pg.connect")) {
        return error_set(error, OUTCOME_RETRY, "fault point: no connection");
    }
    if (read_files(&connection->options, error) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    if (pg_hosts_read(&hosts, connection->options.conninfo, error) != OUTCOME_OK) {
        error->outcome = OUTCOME_RETRY;
        return OUTCOME_RETRY;
    }
    pg_hosts_resolve(&hosts);
    enum outcome outcome = connect_any(connection, &hosts, end_ms, error);
    pg_hosts_fini(&hosts);
    return outcome;
}
