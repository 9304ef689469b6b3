/*
 * pg_missing: the shell commands by which an administrator creates or grants what the bridge still
 * lacks. For `init`.
 *
 *   sudo -iu postgres createuser bridge
 *   sudo -iu postgres createdb -O bridge telemetry
 *   sudo -iu postgres psql -d telemetry -c 'grant create on schema public to bridge'
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_PG_MISSING_H
#define MQTT2PG_PG_PG_MISSING_H

#include "pg/pg_connection.h"

/* What is known of the server. */
struct pg_lack {
    const char *host; /* NULL or a path: a socket of this machine */
    const char *port; /* NULL = the default */
    const char *database;
    const char *role;
    const char *sqlstate;  /* why connecting failed; "" = the server did not say */
    bool password_wanted;  /* the server asked for one, and there was none */
    bool connected;        /* then the members below are valid */
    bool schema_there;     /* the bridge's own schema */
    bool may_make_schema;  /* CREATE on the database */
    const char *namespace; /* where a table without schema is made; NULL = nowhere */
    bool may_make_table;   /* CREATE on `namespace` */
};

/* Appends the lines, each with "    " in front; shell comments say when a line is not needed.
 * False: nothing is missing that such a line could make. Pure. */
bool pg_lack_append(struct buf *out, const struct pg_lack *lack);

/* Appends the lines after an attempt to connect: `error` is NULL when it succeeded. OUTCOME_OK:
 * *missing says whether there are any. */
enum outcome pg_missing_append(struct buf *out, struct pg_connection *connection,
                               const char *conninfo, const struct error *error,
                               bool *missing) MUST_CHECK;

#endif
