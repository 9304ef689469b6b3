/* SPDX-License-Identifier: MIT */
#include "load/blame_fate.h"

#include <string.h>

enum blame_kind blame_kind_of(const struct pg_failure *failure)
{
    switch (failure->action) {
    case SQL_ROW:
        return BLAME_ROW;
    case SQL_RULE:
    /* the ERROR came over our own connection, which still works: a foreign table raised it */
    case SQL_RECONNECT:
    /* likewise from a foreign table: our own server has just written `progress` */
    case SQL_READ_WRITE:
    case SQL_STOP:
        return BLAME_RULE;
    case SQL_RETRY:
        return strcmp(failure->sqlstate, "55P03") == 0 ? BLAME_TIME : BLAME_TWICE;
    case SQL_SMALLER:
        return BLAME_TWICE;
    case SQL_WAIT:
        break;
    }
    return BLAME_TIME;
}

bool blame_may_pass(const struct pg_failure *failure)
{
    return strcmp(failure->sqlstate, "23503") == 0 ||
           (strcmp(failure->sqlstate, "23514") == 0 && failure->constraint[0] == '\0');
}

enum blame_fate blame_fate_of(const struct blame_tally *tally, bool letters)
{
    size_t rule = tally->refused[BLAME_RULE];
    size_t passing = tally->refused[BLAME_TWICE] + tally->refused[BLAME_TIME];

    if (tally->refused[BLAME_ROW] + rule + passing == 0) {
        return BLAME_NOTHING;
    }
    if (tally->passed > 0) {
        return passing > 0 && !letters ? BLAME_HOLD : BLAME_REJECT;
    }
    if (passing > 0) {
        return BLAME_HOLD;
    }
    if (tally->refused[BLAME_ROW] + rule == 1 && tally->alone < BLAME_ALONE_MAX) {
        return BLAME_REJECT; /* its rule's table takes statements: see blame_rules() */
    }
    return rule > 0 ? BLAME_PARK : BLAME_REJECT;
}

bool blame_is_timeout(const struct pg_failure *failure)
{
    return failure->action == SQL_SMALLER && strcmp(failure->sqlstate, "57014") == 0;
}

bool blame_is_used_up(const struct pg_failure *failure)
{
    return strcmp(failure->sqlstate, "53200") == 0 && !failure->raised;
}
