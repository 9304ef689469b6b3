/*
 * A line a row, fields separated by tabs, \N for null; backslash, tab, line feed and carriage
 * return stand behind a backslash.
 *
 * This form is for columns whose type has no binary form here: the server's input function then
 * reads the text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "row/copy_text.h"

#include <assert.h>

/* What stands behind the backslash instead of `c`, or 0. */
static char escape_of(char c)
{
    switch (c) {
    case '\\':
        return '\\';
    case '\t':
        return 't';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    default:
        return '\0';
    }
}

/* Escapes what was written behind `start`, from its end so that it needs no second copy. */
static void escape_from(struct buf *out, size_t start)
{
    assert(start <= out->length);
    size_t escapes = 0;
    for (size_t i = start; i < out->length; i++) {
        escapes += escape_of(out->data[i]) != '\0';
    }
    if (escapes == 0) {
        return;
    }
    buf_reserve(out, escapes);
    char *from = out->data + out->length;
    char *to = from + escapes;
    while (to > from) {
        assert(from > out->data + start);
        char c = *--from;
        char escape = escape_of(c);
        *--to = escape != '\0' ? escape : c;
        if (escape != '\0') {
            *--to = '\\';
        }
    }
    out->length += escapes;
}

void copy_text_append_row(struct buf *out, const struct datum *datums,
                          const struct column_shape *const *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buf_append_byte(out, '\t');
        }
        if (datums[i].null) {
            buf_append_text(out, "\\N");
        } else {
            size_t start = out->length;
            datum_append_text(out, &datums[i], columns[i]);
            escape_from(out, start);
        }
    }
    buf_append_byte(out, '\n');
}
