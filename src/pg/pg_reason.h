/*
 * pg_reason: why no connection came about, in one line that says what to do. Pure.
 *
 * libpq gives only a text, of several lines, one part a host that it tried. With PQERRORS_VERBOSE
 * the server's part holds its SQLSTATE and the function that raised it, so this works in every
 * language of lc_messages:
 *   connection to server on socket "/run/…" failed: FATAL:  28P01: password authentication failed
 *   for user "bridge"
 *   LOCATION:  auth_failed, auth.c:335
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_PG_REASON_H
#define MQTT2PG_PG_PG_REASON_H

#include <stdbool.h>

#include "base/buf.h"

/* How the reason begins when libpq had no password and the server wants one: PostgreSQL then tells
 * no SQLSTATE. */
#define PG_REASON_PASSWORD_WANTED "the server wants a password"

/* What the connection was to be, for the words; NULL = not known. */
struct pg_where {
    const char *host; /* name, address or folder of the socket */
    const char *port;
    const char *database;
    const char *role;
};

/* Appends the reason that follows from libpq's `message` ("" or NULL: no more is known); never
 * holds a password. The SQLSTATE, or "", goes into `sqlstate`. */
void pg_reason_append(struct buf *out, const char *message, const struct pg_where *where,
                      char sqlstate[6]);

/* Does this reason, of pg_reason_append(), say that nobody listens there? */
bool pg_reason_is_refused(const char *reason);

/* Takes the words in quotes out of libpq's complaint about a conninfo: they may be a part of the
 * password. A mistyped keyword is answered with the one that was meant. */
void pg_reason_append_conninfo(struct buf *out, const char *message);

#endif
