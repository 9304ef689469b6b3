/*
 * An array: dimensions 4 bytes, flags 4, element type 4, then length 4 and lower bound 4 of the one
 * dimension, then its elements: length 4 (-1 = null) and bytes. An array without elements has no
 * dimension. The server finds out by itself whether there are nulls (ReadArrayBinary()).
 *
 * SPDX-License-Identifier: MIT
 */
#include "row/copy_arrays.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

enum { LENGTH_BYTES = 4, COUNT_BYTES = 2 };
#define FIELD_NULL UINT32_MAX

uint32_t copy_array_element(const struct column_shape *column, enum copy_format format)
{
    return format == COPY_TEXT || column->type_oid == 0 ? TEXT_OID : column->type_oid;
}

/* Appends the header of an array with one dimension, or with none when it is empty. */
static void append_header(struct buf *array, uint32_t element, size_t count)
{
    assert(count <= INT32_MAX);
    buf_append_be32(array, count > 0 ? 1 : 0);
    buf_append_be32(array, 0);
    buf_append_be32(array, element);
    if (count > 0) {
        buf_append_be32(array, (uint32_t) count);
        buf_append_be32(array, 1);
    }
}

/* Takes the fields of one row of COPY BINARY off the front of `rows`. */
static void take_binary_row(struct buf *arrays, size_t column_count, struct slice *rows)
{
    const char *at = rows->data + COUNT_BYTES;

    for (size_t i = 0; i < column_count; i++) {
        uint32_t length = bytes_get_be32(at);
        size_t bytes = LENGTH_BYTES + (length == FIELD_NULL ? 0 : length);

        buf_append(&arrays[i], at, bytes);
        at += bytes;
    }
    assert(at <= rows->data + rows->length);
    *rows = slice_make(at, (size_t) (rows->data + rows->length - at));
}

/* What a letter behind a backslash stands for in COPY's text form; other characters stand for
 * themselves. */
static char unescaped(char c)
{
    return c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
}

/* Appends one field of COPY's text form, which ends before `end`, as an element. */
static void append_text_field(struct buf *array, const char *at, const char *end)
{
    size_t start = array->length;

    if (end - at == 2 && at[0] == '\\' && at[1] == 'N') {
        buf_append_be32(array, FIELD_NULL);
        return;
    }
    buf_append_zeros(array, LENGTH_BYTES);
    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t) (end - at));
        const char *plain_end = escape == NULL ? end : escape;

        buf_append(array, at, (size_t) (plain_end - at));
        at = plain_end;
        if (escape != NULL) {
            assert(escape + 1 < end);
            buf_append_byte(array, (uint8_t) unescaped(escape[1]));
            at = escape + 2;
        }
    }
    buf_put_be32(array, start, (uint32_t) (array->length - start - LENGTH_BYTES));
}

/* Takes the fields of one line off the front of `rows`. Tabs and line feeds inside of values are
 * escaped. */
static void take_text_row(struct buf *arrays, size_t column_count, struct slice *rows)
{
    const char *end = rows->data + rows->length;
    const char *at = rows->data;

    for (size_t i = 0; i < column_count; i++) {
        const char *stop = memchr(at, i + 1 < column_count ? '\t' : '\n', (size_t) (end - at));

        assert(stop != NULL);
        append_text_field(&arrays[i], at, stop);
        at = stop + 1;
    }
    *rows = slice_make(at, (size_t) (end - at));
}

void copy_arrays_append(struct buf *arrays, const uint32_t *elements, size_t column_count,
                        const struct copy_rows *rows)
{
    struct slice rest = rows->bytes;

    for (size_t i = 0; i < column_count; i++) {
        append_header(&arrays[i], elements[i], rows->count);
    }
    for (size_t row = 0; row < rows->count; row++) {
        if (rows->format == COPY_BINARY) {
            take_binary_row(arrays, column_count, &rest);
        } else {
            take_text_row(arrays, column_count, &rest);
        }
    }
    assert(rest.length == 0);
}
