/*
 * add_column: adds a column to a table without making other sessions wait for long.
 *
 * ALTER TABLE needs the strongest lock, so it is sent by pg/short_ddl and may have to be tried
 * again later. An added column gets a COMMENT, which distinguishes it from a column that a person
 * made.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_ADD_COLUMN_H
#define MQTT2PG_PG_ADD_COLUMN_H

#include "pg/pg_connection.h"

struct new_column {
    const char *relation; /* as the rule writes it: "public.telemetry" */
    const char *name;
    const char *type;    /* as SQL writes it */
    const char *comment; /* where its values come from: "$.power" */
};

enum add_column_result {
    ADD_COLUMN_DONE,     /* it is there, and was added by a bridge, now or before */
    ADD_COLUMN_LATER,    /* not now: a lock, a deadlock, a timeout, a full disk, a standby */
    ADD_COLUMN_NO_TABLE, /* the table is not there */
    ADD_COLUMN_REFUSED,  /* with PostgreSQL's words in `failure` */
    ADD_COLUMN_LOST,     /* the connection is lost; the column may be there */
};

/* In a transaction of its own. */
enum add_column_result add_column(struct pg_connection *connection, const struct new_column *column,
                                  struct pg_failure *failure) MUST_CHECK;

#endif
