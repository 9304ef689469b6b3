/*
 * copy_format: datums as the bytes of COPY, and as JSON for people. Pure.
 *
 * Binary: https://www.postgresql.org/docs/15/sql-copy.html, "Binary Format"; each type as its
 * *_send function writes it. Text: one line a row, tab separated, \N for null; the type's own text
 * form, so any type works.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROW_COPY_FORMAT_H
#define MQTT2PG_ROW_COPY_FORMAT_H

#include "base/buf.h"
#include "row/datum.h"

enum copy_format { COPY_BINARY, COPY_TEXT };

/* Signature, flags and extension length of binary COPY; nothing for text. */
void copy_append_header(struct buf *out, enum copy_format format);
void copy_append_trailer(struct buf *out, enum copy_format format);

/* One row. `columns[i]` describes `datums[i]`. */
void copy_append_row(struct buf *out, enum copy_format format, const struct datum *datums,
                     const struct column_shape *const *columns, size_t count);

/* One value as PostgreSQL's text form, unescaped: what psql would show. Nothing for null. */
void datum_append_text(struct buf *out, const struct datum *datum,
                       const struct column_shape *column);

/* One value as JSON: booleans and numbers as such, json as it is, arrays as arrays, null;
 * everything else (also NaN and the infinities) a string in PostgreSQL's text form. */
void datum_append_json(struct buf *out, const struct datum *datum,
                       const struct column_shape *column);

#endif
