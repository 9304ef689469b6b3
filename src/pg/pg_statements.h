/*
 * pg_statements: a rule's own SQL, statement by statement. Pure.
 *
 * The position of the journal moves in the same transaction, so nothing in a rule's SQL may begin
 * or end one. Each statement is sent by itself in the extended protocol, where the server takes one
 * statement a message (PostgreSQL's documentation, "Extended Query"); so a mistake in this reading
 * of SQL can make a statement fail, but can't smuggle a COMMIT past it.
 *
 * Read are quoted strings (also E'…', continued over lines), quoted identifiers, dollar quotes,
 * comments (nested too), parentheses: a semicolon inside of any of them ends nothing (PostgreSQL's
 * documentation, "Lexical Structure"). Not read are the bodies of CREATE FUNCTION … BEGIN ATOMIC,
 * which have no place in a batch.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_PG_STATEMENTS_H
#define MQTT2PG_PG_PG_STATEMENTS_H

#include <stddef.h>

#include "base/buf.h"
#include "base/outcome.h"
#include "base/slice.h"

/* Takes the next statement, without its semicolon and what is empty before it, off the front of
 * `sql`; an empty slice when there is none left. OUTCOME_REJECT: a quoted text or a comment has no
 * end. */
enum outcome pg_take_statement(struct slice *sql, struct slice *statement,
                               struct error *error) MUST_CHECK;

/* Every statement of `sql`: OUTCOME_REJECT when there is none, or the first that can't be part of a
 * batch's transaction, with the reason. */
enum outcome pg_check_statements(struct slice sql, struct error *error) MUST_CHECK;

/* How a statement of a rule's own SQL reaches the rows of its batch. */
enum pg_batch_use {
    PG_BATCH_UNUSED, /* it does not: INSERT, UPDATE, … without the word "batch" */
    PG_BATCH_READ,   /* it reads them: WITH batch AS (…) in front of it is enough */
    PG_BATCH_TABLE,  /* a table called "batch" must be there: the statement changes it, makes an
                        index on it, or calls a function that may read it */
};
enum pg_batch_use pg_batch_use(struct slice statement);

/* Appends the statement with a WITH query "name AS (query)" before its own ones. */
void pg_append_with(struct buf *out, struct slice statement, const char *name, const char *query);

#endif
