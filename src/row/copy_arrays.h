/*
 * copy_arrays: rows of COPY turned into one array per column, for INSERT … SELECT … FROM unnest().
 * Pure.
 *
 * A batch holds its rows in COPY's form. Statements that need the rows as values (ON CONFLICT, a
 * rule's own SQL, the search for a refused row) take each column as one parameter: an array in
 * PostgreSQL's binary form (array_recv() in arrayfuncs.c), whose elements are the fields of COPY
 * BINARY byte by byte, or the unescaped fields of COPY's text form as elements of text[].
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROW_COPY_ARRAYS_H
#define MQTT2PG_ROW_COPY_ARRAYS_H

#include "base/buf.h"
#include "base/slice.h"
#include "row/copy_format.h"

enum { TEXT_OID = 25 };

/* The element type of the array for this column: TEXT_OID when the values travel in text form,
 * which a cast then turns into the column's type. */
uint32_t copy_array_element(const struct column_shape *column, enum copy_format format);

/* Whole rows as copy_append_row() writes them, without header and trailer. */
struct copy_rows {
    enum copy_format format;
    struct slice bytes;
    size_t count;
};

/* Appends to arrays[i] the array of column i; `elements[i]` is copy_array_element(). */
void copy_arrays_append(struct buf *arrays, const uint32_t *elements, size_t column_count,
                        const struct copy_rows *rows);

#endif
