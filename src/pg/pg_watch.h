/*
 * pg_watch: finds out over a second connection what our backend waits for when its answer does not
 * come.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_PG_WATCH_H
#define MQTT2PG_PG_PG_WATCH_H

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

enum pg_wait {
    PG_WAIT_UNKNOWN, /* the server could not be asked, or the backend does not wait */
    PG_WAIT_STANDBY, /* its COMMIT is on this server's disk and waits for a synchronous standby */
    PG_WAIT_LOCK,    /* another session holds a lock */
    PG_WAIT_FOREIGN, /* an extension waits: for a foreign table's server, most likely */
    PG_WAIT_OTHER,   /* for something else that has a name */
};

/* The backend, and how it was reached. All borrowed. */
struct pg_watched {
    const PGconn *pg; /* connected */
    const char *conninfo;
    const char *password; /* NULL = as conninfo says */
    int pid;
};

/* Asks for at most `milliseconds`, over a connection that is closed again. `text` gets the words
 * for a person, "" when unknown. The words hold no values of rows, and of other sessions'
 * statements only the kind ("alter table"). */
enum pg_wait pg_watch(const struct pg_watched *watched, int64_t milliseconds, char *text,
                      size_t size);

#endif
