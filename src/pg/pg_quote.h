/*
 * pg_quote: names and texts inside SQL. Pure.
 *
 * Texts from messages are sent as parameters or COPY data. Only texts from the configuration and
 * the catalog are quoted.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_PG_QUOTE_H
#define MQTT2PG_PG_PG_QUOTE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/slice.h"

/* Bytes of an identifier that PostgreSQL keeps (NAMEDATALEN - 1); it cuts longer ones, so two of
 * them may collide. */
#define PG_IDENTIFIER_MAX 63

/* Appends an identifier, quoted when it must be (upper case, odd characters, a keyword). Bytes
 * beyond PG_IDENTIFIER_MAX are an error of the caller (checked by the configuration). */
void pg_quote_identifier(struct buf *out, struct slice name);

/* Appends a string literal that is right with any setting of standard_conforming_strings. */
void pg_quote_literal(struct buf *out, struct slice text);

/* Reads the name of a table as SQL does ("t", "schema.t", "\"Odd.Name\".T": folded to lower case
 * outside of quotes) and appends it quoted, part by part. False, with nothing appended, when it is
 * no such name. */
bool pg_quote_relation(struct buf *out, struct slice name);

/* Takes the name of a table off the front of `sql` and appends the last part of it, without quotes,
 * to `name`. False when there is none. */
bool pg_take_relation(struct slice *sql, struct buf *name);

/* Appends an array literal of texts, '{"a","b"}' without the outer quotes, for a parameter of type
 * text[]. */
void pg_quote_array(struct buf *out, const char *const *texts, size_t count);

/* Appends SQL of sql/, in which the bridge's schema is called mqtt2pg, for the schema of another
 * name: the word mqtt2pg is replaced wherever it stands outside of comments, string literals and
 * quoted identifiers. */
void pg_append_for_schema(struct buf *out, const char *sql, const char *schema);

/* Every word that pg_quote_identifier() quotes because it is a keyword; sorted. */
extern const char *const pg_keywords[];
extern const size_t pg_keyword_count;

#endif
