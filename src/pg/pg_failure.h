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
    /* Primary message, DETAIL and HINT, one line. Parts that may quote values of a row come last,
     * after HEALTH_DETAIL: they belong into dead letters, not into logs. */
    char message[400];
    uint64_t line;        /* of COPY, with SQL_ROW: number of the row, from 1; 0 = not told */
    char constraint[128]; /* "" or the constraint's name */
    char column[64];      /* of COPY: the column whose value could not be read; "" = not told */
};

/* A failure that the program noticed itself; no SQLSTATE. Returns OUTCOME_RETRY. */
enum outcome pg_failure_set(struct pg_failure *failure, enum sql_action action, const char *format,
                            ...) PRINTF_LIKE(3, 4);

/* PostgreSQL's texts about a failure. Texts are borrowed; empty = none. */
struct pg_words {
    struct slice primary;
    struct slice detail;
    struct slice hint;
    struct slice source; /* file of PostgreSQL's source that raised it, "lock.c" */
    struct slice context;
    struct slice role; /* of the session */
};

/*
 * Makes the failure's `message` from the words, and sets `raised` when a function in a procedural
 * language raised it. failure->sqlstate must be set before. The message is one of:
 *
 *   PRIMARY: DETAIL; hint: HINT            DETAIL quotes no values, by its SQLSTATE
 *   PRIMARY; hint: HINT; detail: DETAIL    DETAIL may quote values
 *   PRIMARY; detail: DETAIL; hint: HINT    raised: DETAIL and HINT may quote values
 *
 * When a privilege is missing and PostgreSQL says in English on which object, HINT is the GRANT
 * that gives it to the session's role.
 *
 * Control characters become spaces. The message has no full stop and no torn character at its end.
 */
void pg_failure_say(struct pg_failure *failure, const struct pg_words *words);

/* Appends words to the message, as far as there is room. */
void pg_failure_append(struct pg_failure *failure, const char *words);

/*
 * Is it the syntax of a value that was refused, and not that of a statement? Types with a syntax of
 * their own (tsquery, jsonpath, ltree, and hstore since PostgreSQL 16) raise 42601 for a value, as
 * PostgreSQL's parser does for a statement. `source` is the file that raised the error: a file of
 * the parser, or a type's.
 */
bool pg_failure_is_syntax_of_value(const char *sqlstate, struct slice source);

/*
 * The number of the row in the context of an error in COPY, in any language of lc_messages; 0 when
 * the context has none. PostgreSQL writes the row into the last line of the context, which begins
 * with "COPY" and the relation's name (in Japanese with the name). Triggers add their lines before
 * that one. `relation` is the name without schema and quotes.
 */
uint64_t pg_failure_copy_line(const char *context, struct slice relation);

/* The column in the same line: in most languages ", column NAME" or ", column NAME: value" follows
 * the row. Empty when the line has none, or has another form. Borrows of `context`. */
struct slice pg_failure_copy_column(const char *context, struct slice relation);

#endif
