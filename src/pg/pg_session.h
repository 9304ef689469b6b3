/*
 * pg_session: the struct of a connection, for those files of pg/ that call libpq.
 *
 * Every wait goes through pg_session_wait(), so deadlines and interruption are handled in one
 * place. When a wait fails, the connection is closed and `failure` says why.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_PG_SESSION_H
#define MQTT2PG_PG_PG_SESSION_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "pg/pg_connection.h"

struct pg_connection {
    struct pg_options options;    /* its texts are copies, owned */
    PGconn *pg;                   /* owned; NULL while not connected */
    int interrupt_fd;             /* eventfd; readable once pg_interrupt() was called */
    int64_t patience_ms;          /* how long a wait may last without progress */
    int64_t deadline_ms;          /* of the wait under way, monotonic */
    int64_t look_ms;              /* monotonic; when pg_watch() looks next */
    char waits_for[400];          /* what pg_watch() said last about this wait; "" = nothing */
    unsigned inputs;              /* reads from the socket that brought something */
    unsigned notices;             /* NOTICE messages so far */
    struct pg_failure last_words; /* FATAL or PANIC; message "": none since pg_connect() began */
    bool (*step)(void *context);  /* of pg_meanwhile(); NULL: none, or it has nothing left to do */
    void *step_context;
    bool early_check_off;      /* a COPY was ended early without cause: never look again */
    int previous_pid;          /* backend of the previous connection; 0 = not known */
    int64_t previous_start_us; /* when that backend started: a pid may be used again */
    int pid;                   /* of this connection's backend; 0 behind a pooler */
    int64_t start_us;
    int server_pid;         /* as the server returns it; behind a pooler libpq has another one */
    bool pooled;            /* there is a connection pooler in between */
    int64_t round_trip_us;  /* the shortest answer to a statement; 0 = none yet */
    int64_t clock_ahead_us; /* of the server's clock, by the latest answer that told the time */
    char system[24];        /* identifier of the cluster connected to last; "" = not known */
    int64_t timeline;       /* its highest timeline so far */
    char target[300];
};

/* Begins a wait: sets the deadline to patience_ms from now. */
void pg_session_begin(struct pg_connection *connection);

/*
 * Waits for POLLIN or POLLOUT on `fd` (-1: waits only for the deadline). Returns poll's events, or
 * 0 with `failure` filled after the deadline, after pg_interrupt() and when poll() fails. Does not
 * close the connection.
 *
 * After a second of waiting, pg_watch() finds out what our backend waits for, and log and health
 * show it. While COMMIT waits for a synchronous standby there is no deadline. PostgreSQL takes the
 * transaction for committed when its client gives up there or its backend is ended, and a standby
 * that is promoted then does not have the row.
 */
short pg_session_wait(struct pg_connection *connection, int fd, short events,
                      struct pg_failure *failure);

/* Sends all that libpq has buffered, and reads what comes meanwhile. A lost connection is no
 * failure here: the next result tells why it was lost. */
enum outcome pg_session_flush(struct pg_connection *connection,
                              struct pg_failure *failure) MUST_CHECK;

/* Waits until the socket takes more, reading what comes meanwhile. A lost connection is no failure
 * here. */
enum outcome pg_session_wait_writable(struct pg_connection *connection,
                                      struct pg_failure *failure) MUST_CHECK;

/* The next result; NULL at the end of them. The caller clears it. */
enum outcome pg_session_next(struct pg_connection *connection, PGresult **result,
                             struct pg_failure *failure) MUST_CHECK;

/*
 * Reads all results of what was sent. `first` is a result that has been read already (NULL: none);
 * this function frees it. Of several failures the first with a SQLSTATE counts. `last`, when not
 * NULL, gets the last result of a success, which the caller clears. `relation` is the target of a
 * COPY, for the number of the row at fault; else NULL. After a failure that ends the session the
 * connection is closed.
 */
enum outcome pg_session_finish(struct pg_connection *connection, PGresult *first,
                               const char *relation, PGresult **last,
                               struct pg_failure *failure) MUST_CHECK;

/* Fills `failure` from a result of this connection that is a failure. `relation` as for
 * pg_session_finish(). */
void pg_session_failure(const struct pg_connection *connection, const PGresult *result,
                        const char *relation, struct pg_failure *failure);

/* Closes the connection because of this failure, which becomes its last words when the server said
 * it. */
void pg_session_end(struct pg_connection *connection, const struct pg_failure *failure);

/* For a connection that takes nothing more: fills `failure` with the server's last words, else with
 * libpq's, and closes the connection. Returns OUTCOME_RETRY. */
enum outcome pg_session_lost(struct pg_connection *connection, struct pg_failure *failure);

#endif
