/*
 * sqlstate: one table that says what an error of PostgreSQL means for the batch, by class or whole
 * code. Pure.
 *
 * Classes: https://www.postgresql.org/docs/15/errcodes-appendix.html
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_SQLSTATE_H
#define MQTT2PG_PG_SQLSTATE_H

#include <stdbool.h>
#include <stddef.h>

enum sql_action {
    SQL_RECONNECT,  /* the connection is gone or going: connect again, retry the batch */
    SQL_READ_WRITE, /* as SQL_RECONNECT; this server takes no writes: another one must be found */
    SQL_RETRY,      /* serialization, deadlock, lock: the same batch again, soon */
    SQL_SMALLER,    /* timeout or a limit per statement: again with half the batch */
    SQL_WAIT,       /* the server lacks room or memory: keep everything, long backoff, alarm */
    SQL_ROW,        /* a row's fault: isolate its message, dead letter */
    SQL_RULE,       /* the rule's table is missing, denied or of another shape: park the rule */
    SQL_STOP,       /* the transaction was ended under us: connect again and read `progress` */
};

struct sql_action_row {
    const char *prefix; /* two characters: a class; five: one code */
    enum sql_action action;
    const char *why;
};

extern const struct sql_action_row sql_actions[];
extern const size_t sql_action_count;

/* `sqlstate` NULL or "" means that the server did not say: the connection was lost. `fatal`: the
 * severity was FATAL or PANIC, so the connection is gone, and neither a row nor a rule is to blame:
 * SQL_RECONNECT takes the place of the table's SQL_ROW, SQL_RULE, SQL_RETRY and SQL_SMALLER
 * (PgBouncer's own errors are FATAL 08P01, a malformed row is ERROR 08P01). The longest prefix
 * wins; unknown codes are SQL_ROW. The code of an ERROR says little about its scope, because a
 * trigger may raise any code for one row: load/blame finds the scope by trying. */
enum sql_action sql_action_of(const char *sqlstate, bool fatal);

/* "reconnect", "read-write", "retry", "smaller", "wait", "row", "rule", "stop": for logs. */
const char *sql_action_name(enum sql_action action);

#endif
