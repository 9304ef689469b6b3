/*
 * short_ddl: runs statements that change a table without making other sessions wait for long.
 *
 * ALTER TABLE, DROP TABLE and the like need strong locks, and while they wait for one, all other
 * sessions wait behind them. So they wait for SHORT_DDL_LOCK_MS at most, run for SHORT_DDL_RUN_MS
 * at most, and are tried again later.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_SHORT_DDL_H
#define MQTT2PG_PG_SHORT_DDL_H

#include "pg/pg_connection.h"

enum { SHORT_DDL_LOCK_MS = 200, SHORT_DDL_RUN_MS = 5000 };

enum short_ddl {
    SHORT_DDL_DONE,
    SHORT_DDL_LATER,   /* not now: a lock, a deadlock, a timeout, a full disk, a standby */
    SHORT_DDL_REFUSED, /* about the table, or raised by a trigger: another try would fail, too */
    SHORT_DDL_LOST,    /* the connection is lost; what was sent may have taken effect */
};

/* Runs the statements, each of which ends in a semicolon, in a transaction of their own. */
enum short_ddl short_ddl_run(struct pg_connection *connection, const char *statements,
                             struct pg_failure *failure) MUST_CHECK;

#endif
