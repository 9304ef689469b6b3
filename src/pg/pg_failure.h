/*
 * pg_failure: why a statement failed, in the words for a log or a dead letter. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_PG_FAILURE_H
#define MQTT2PG_PG_PG_FAILURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/outcome.h"
#include "base/slice.h"
#include "pg/sqlstate.h"

struct pg_failure {
    enum sql_action action;
    bool fatal;       /* FATAL, PANIC, or the server did not say: the connection is gone or going */
    bool raised;      /* by a function in a procedural language, so for its own reason */
    char sqlstate[6]; /* "" when the server did not say */
    /* Primary message, DETAIL and HINT, one line. What may quote values of a row, which belongs
     * into dead letters and not into logs, stands last, behind HEALTH_DETAIL. */
    char message[400];
    uint64_t line;        /* of COPY, with SQL_ROW: number of the row, from 1; 0 = not told */
    char constraint[128]; /* "" or the constraint's name */
    char column[64];      /* of COPY: the one whose value could not be read; "" = not told */
};

/* A failure that the program noticed itself; no SQLSTATE. Returns OUTCOME_RETRY. */
enum outcome pg_failure_set(struct pg_failure *failure, enum sql_action action, const char *format,
                            ...) PRINTF_LIKE(3, 4);

/* What PostgreSQL says of a failure. Texts are borrowed; empty = none. */
struct pg_words {
    struct slice primary;
    struct slice detail;
    struct slice hint;
    struct slice source; /* file of PostgreSQL's source that raised it, "lock.c" */
};

/*
 * Makes `message` of them, and tells whether a procedural language `raised` it: "PRIMARY: DETAIL;
 * hint: HINT", or "PRIMARY; hint: HINT; detail: DETAIL" where DETAIL may quote values, by the
 * SQLSTATE (which the failure has already). All that a function of a procedural language raised may
 * quote values. Control characters become spaces, no full stop, no torn character at the end.
 */
void pg_failure_say(struct pg_failure *failure, const struct pg_words *words);

/*
 * Number of the row in the context that PostgreSQL gives with an error in COPY, in any language of
 * lc_messages; 0 when it tells none. The row stands in the last line of the context, which begins
 * with "COPY" and the relation's name, or with the name (Japanese); what triggers add stands in the
 * lines before it. `relation` is the name without schema and quotes.
 */
uint64_t pg_failure_copy_line(const char *context, struct slice relation);

/* The column that stands behind the row there, ", column NAME" or ", column NAME: value", in a
 * language that writes it so; empty when none does. Borrows of `context`. */
struct slice pg_failure_copy_column(const char *context, struct slice relation);

#endif
