/* SPDX-License-Identifier: MIT */
#include "pg/pg_watch.h"

#include <assert.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "sql_text.h"

/* The columns of session-waits.sql. */
enum { WAIT_TYPE, WAIT_EVENT, STANDBYS, RELATIONS, HOLDERS };

/* False when the time is over, and when poll() fails. A signal ends the look early, which only
 * makes its answer "unknown". */
static bool wait_for(PGconn *pg, short events, int64_t end_ms)
{
    struct pollfd fd = {.fd = PQsocket(pg), .events = events};
    int64_t left_ms = end_ms - clock_monotonic_ms();

    assert(left_ms <= INT_MAX);
    return left_ms > 0 && poll(&fd, 1, (int) left_ms) > 0;
}

/* Connects to the server that the watched connection talks to, not to any host of conninfo: the
 * pid is that server's. With "host" and "hostaddr" libpq connects to the address and verifies the
 * certificate against the name. */
static PGconn *start(const struct pg_watched *watched)
{
    const char *host = PQhost(watched->pg);
    const char *address = PQhostaddr(watched->pg);
    bool by_address = host != NULL && host[0] != '/' && address != NULL && address[0] != '\0';
    const char *keywords[] = {
        "dbname",           "host", "hostaddr", "port", "password", "client_encoding",
        "application_name", NULL};
    const char *values[] = {watched->conninfo,
                            host,
                            by_address ? address : NULL,
                            PQport(watched->pg),
                            watched->password,
                            "UTF8",
                            "mqtt2pg watch",
                            NULL};
    return PQconnectStartParams(keywords, values, 1);
}

/* libpq wants PQconnectPoll() to be called as if it had returned PGRES_POLLING_WRITING before, and
 * may change the socket between two calls (PostgreSQL's documentation, "PQconnectStartParams"). */
static bool finish(PGconn *pg, int64_t end_ms)
{
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;
    while (step == PGRES_POLLING_READING || step == PGRES_POLLING_WRITING) {
        if (!wait_for(pg, step == PGRES_POLLING_READING ? POLLIN : POLLOUT, end_ms)) {
            return false;
        }
        step = PQconnectPoll(pg);
    }
    return step == PGRES_POLLING_OK;
}

/* NULL when no answer came in time. */
static PGresult *ask(PGconn *pg, int pid, int64_t end_ms)
{
    char number[16];
    const char *values[] = {number};
    int length = snprintf(number, sizeof(number), "%d", pid);

    assert(length > 0 && (size_t) length < sizeof(number));
    if (PQsendQueryParams(pg, sql_session_waits, 1, NULL, values, NULL, NULL, 0) == 0) {
        return NULL;
    }
    while (PQisBusy(pg)) {
        if (!wait_for(pg, POLLIN, end_ms) || PQconsumeInput(pg) == 0) {
            return NULL;
        }
    }
    return PQgetResult(pg);
}

/* Makes the words for a person of a row of pg_stat_activity. wait_event_type and wait_event are
 * those of PostgreSQL's documentation, "pg_stat_activity". */
static enum pg_wait describe(const PGresult *result, char *text, size_t size)
{
    if (result == NULL || PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1 ||
        PQgetisnull(result, 0, WAIT_EVENT)) {
        return PG_WAIT_UNKNOWN;
    }
    const char *type = PQgetvalue(result, 0, WAIT_TYPE);
    const char *event = PQgetvalue(result, 0, WAIT_EVENT);
    const char *relations = PQgetvalue(result, 0, RELATIONS);
    const char *holders = PQgetvalue(result, 0, HOLDERS);
    if (strcmp(event, "SyncRep") == 0) {
        snprintf(text, size,
                 "COMMIT waits for a synchronous standby (synchronous_standby_names = %s)",
                 PQgetvalue(result, 0, STANDBYS));
        return PG_WAIT_STANDBY;
    }
    if (strcmp(type, "Lock") == 0) {
        snprintf(text, size, "waits for a lock%s%s%s%s", relations[0] != '\0' ? " on " : "",
                 relations, holders[0] != '\0' ? ", held by " : "", holders);
        return PG_WAIT_LOCK;
    }
    if (strcmp(type, "Extension") == 0) {
        snprintf(text, size,
                 "waits for a foreign server or another extension; "
                 "connect_timeout of a foreign server shortens it");
        return PG_WAIT_FOREIGN;
    }
    /* The backend waits for this client (ClientRead, ClientWrite): the network holds back the rest
     * of the statement or of the answer. */
    if (strcmp(type, "Client") == 0) {
        return PG_WAIT_UNKNOWN;
    }
    snprintf(text, size, "waits for %s (%s)", event, type);
    return PG_WAIT_OTHER;
}

enum pg_wait pg_watch(const struct pg_watched *watched, int64_t milliseconds, char *text,
                      size_t size)
{
    int64_t end_ms = clock_monotonic_ms() + milliseconds;
    enum pg_wait wait = PG_WAIT_UNKNOWN;
    PGconn *pg = start(watched);
    PGresult *result = NULL;

    assert(watched->pid != 0 && size > 0);
    text[0] = '\0';
    if (pg != NULL && PQstatus(pg) != CONNECTION_BAD && finish(pg, end_ms)) {
        result = ask(pg, watched->pid, end_ms);
        wait = describe(result, text, size);
    }
    PQclear(result);
    PQfinish(pg);
    return wait;
}
