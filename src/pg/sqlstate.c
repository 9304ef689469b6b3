/* SPDX-License-Identifier: MIT */
#include "pg/sqlstate.h"

#include <assert.h>
#include <string.h>

/* In the order of PostgreSQL's appendix. A code that is not listed is SQL_ROW, because PostgreSQL's
 * manual invites triggers and functions to raise codes of their own for a row. */
const struct sql_action_row sql_actions[] = {
    /* With ERROR our own connection still works: a foreign table or dblink has lost its server. */
    {"08", SQL_RULE, "connection exception; with FATAL our own connection"},
    {"08007", SQL_RECONNECT, "unknown what became of the transaction: the progress row tells"},
    {"08P01", SQL_ROW, "a malformed binary value; with FATAL a pooler's own error"},
    {"09", SQL_ROW, "a trigger's action failed"},
    {"0A", SQL_RULE, "the table or the statement asks for what this server can't do"},
    {"0P", SQL_RULE, "invalid role"},
    {"20", SQL_ROW, "a CASE in a function had no branch for a row"},
    {"21", SQL_ROW, "two rows where one may be: halving the batch tells which"},
    {"22", SQL_ROW, "data exception"},
    {"23", SQL_ROW, "integrity constraint violation"},
    {"24", SQL_RULE, "a function's cursor"},
    {"25", SQL_RECONNECT, "the transaction is not in the state that we believe"},
    {"25006", SQL_READ_WRITE, "read-only transaction: a standby"},
    {"26", SQL_RULE, "a prepared statement is gone"},
    {"27", SQL_ROW, "a trigger changed the row under the statement"},
    {"28", SQL_RULE, "authorization"},
    {"2B", SQL_RULE, "dependent privileges"},
    {"2D", SQL_RULE, "the rule's SQL ends the transaction"},
    {"2F", SQL_ROW, "exception in an SQL routine"},
    {"34", SQL_RULE, "a function's cursor"},
    {"38", SQL_ROW, "exception in an external routine"},
    {"39", SQL_ROW, "an external routine was called or answered wrongly"},
    {"3D", SQL_RULE, "no such database"},
    {"3F", SQL_RULE, "no such schema"},
    {"40", SQL_RETRY, "serialization failure, deadlock"},
    {"40003", SQL_RECONNECT, "unknown what became of the statement: the progress row tells"},
    {"42", SQL_RULE, "syntax, names, types, privileges"},
    {"44", SQL_ROW, "a view's check option"},
    {"53", SQL_WAIT, "disk, memory or connections are used up"},
    {"53200", SQL_SMALLER, "out of memory, or of locks: fewer partitions at a time"},
    {"53400", SQL_SMALLER, "a configured limit of one statement or transaction"},
    {"54", SQL_ROW, "a row exceeds a limit of the server"},
    {"54011", SQL_RULE, "too many columns"},
    {"54023", SQL_RULE, "too many arguments"},
    {"55", SQL_RULE, "the object is not in the state that the statement needs"},
    {"55006", SQL_RETRY, "the object is in use"},
    {"55P03", SQL_RETRY, "lock not available"},
    {"57", SQL_RECONNECT, "operator intervention, restart"},
    {"57014", SQL_SMALLER, "statement timeout"},
    {"57P04", SQL_READ_WRITE, "the database was dropped"},
    {"58", SQL_WAIT, "system error on the server"},
    {"72", SQL_RETRY, "snapshot too old"},
    {"HV", SQL_RULE, "foreign data wrapper"},
    {"P0", SQL_ROW, "RAISE in a trigger or function"},
    {"XX000", SQL_ROW, "internal error: how some extensions refuse a value (hstore, PostGIS)"},
    {"XX001", SQL_WAIT, "data corrupted"},
    {"XX002", SQL_WAIT, "index corrupted"},
};
const size_t sql_action_count = sizeof(sql_actions) / sizeof(sql_actions[0]);

/* A whole code overrides its class, wherever the two stand in the table. */
static enum sql_action action_by_table(const char *sqlstate)
{
    enum sql_action action = SQL_ROW;
    size_t longest = 0;
    for (size_t i = 0; i < sql_action_count; i++) {
        size_t length = strlen(sql_actions[i].prefix);
        assert(length == 2 || length == 5);
        if (length > longest && strncmp(sqlstate, sql_actions[i].prefix, length) == 0) {
            longest = length;
            action = sql_actions[i].action;
        }
    }
    return action;
}

enum sql_action sql_action_of(const char *sqlstate, bool fatal)
{
    /* libpq reports a lost connection by an error of its own, without SQLSTATE. */
    if (sqlstate == NULL || sqlstate[0] == '\0') {
        return SQL_RECONNECT;
    }
    enum sql_action action = action_by_table(sqlstate);
    if (fatal && action != SQL_READ_WRITE && action != SQL_WAIT && action != SQL_STOP) {
        action = SQL_RECONNECT;
    }
    return action;
}

const char *sql_action_name(enum sql_action action)
{
    switch (action) {
    case SQL_RECONNECT:
        return "reconnect";
    case SQL_READ_WRITE:
        return "read-write";
    case SQL_RETRY:
        return "retry";
    case SQL_SMALLER:
        return "smaller";
    case SQL_WAIT:
        return "wait";
    case SQL_ROW:
        return "row";
    case SQL_RULE:
        return "rule";
    case SQL_STOP:
        return "stop";
    }
    return "unknown";
}
