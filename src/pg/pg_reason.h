/*
 * pg_reason: says in one line why connecting failed, and what to do. Pure.
 *
 * libpq gives only a text of several lines, with a part for each host that it tried. With
 * PQERRORS_VERBOSE the server's part has its SQLSTATE and the function that raised the error, so
 * the reason is found in every language of lc_messages:
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

/* Where the connection was to go, for the text; NULL = not known. */
struct pg_where {
    const char *host; /* name, address or folder of the socket */
    const char *port;
    const char *database;
    const char *role;
};

/* Appends the reason for libpq's `message` ("" or NULL: not known), without any password. Sets
 * `sqlstate`, "" when the message has none. */
void pg_reason_append(struct buf *out, const char *message, const struct pg_where *where,
                      char sqlstate[6]);

/* Does this reason, of pg_reason_append(), say that nobody listens there? */
bool pg_reason_is_refused(const char *reason);

/* Takes the words in quotes out of libpq's complaint about a conninfo: they may be a part of the
 * password. A mistyped keyword is answered with the one that was meant. */
void pg_reason_append_conninfo(struct buf *out, const char *message);

#endif
