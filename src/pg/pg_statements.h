/*
 * pg_statements: a rule's own SQL, statement by statement. Pure.
 *
 * The position of the journal moves in the same transaction, so nothing in a rule's SQL may begin
 * or end one. Each statement is sent by itself in the extended protocol, where the server takes one
 * statement a message (PostgreSQL's documentation, "Extended Query"); so a mistake of this parser
 * can make a statement fail, but can't let a COMMIT through.
 *
 * The parser knows quoted strings (also E'…', continued over lines), quoted identifiers, dollar
 * quotes, comments (also nested) and parentheses: a semicolon inside of any of them does not end
 * the statement (PostgreSQL's documentation, "Lexical Structure"). It does not know the bodies of
 * CREATE FUNCTION … BEGIN ATOMIC, which are useless in a batch.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_PG_STATEMENTS_H
#define MQTT2PG_PG_PG_STATEMENTS_H

#include <stddef.h>

#include "base/buf.h"
#include "base/outcome.h"
#include "base/slice.h"

/* Takes the next statement, without its semicolon, off the front of `sql`, and skips empty
 * statements before it; an empty slice when there is none left. OUTCOME_REJECT: a quoted text or a
 * comment has no end. */
enum outcome pg_take_statement(struct slice *sql, struct slice *statement,
                               struct error *error) MUST_CHECK;

/* Every statement of `sql`: OUTCOME_REJECT when there is none, or the first that can't be part of a
 * batch's transaction, with the reason. */
enum outcome pg_check_statements(struct slice sql, struct error *error) MUST_CHECK;

/* How a statement of a rule's own SQL reaches the rows of its batch. */
enum pg_batch_use {
    PG_BATCH_UNUSED, /* the statement does not use them: it lacks the word "batch" */
    PG_BATCH_READ,   /* it reads them: WITH batch AS (…) in front of it is enough */
    PG_BATCH_TABLE,  /* a table called "batch" must be there: the statement changes it, makes an
                        index on it, or calls a function that may read it */
};
enum pg_batch_use pg_batch_use(struct slice statement);

/* Appends the statement with a WITH query "name AS (query)" before its own ones. */
void pg_append_with(struct buf *out, struct slice statement, const char *name, const char *query);

#endif
