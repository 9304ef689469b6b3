/*
 * A line a row, fields separated by tabs, \N for null; backslash, tab, line feed and carriage
 * return stand behind a backslash.
 *
 * For columns whose type the bridge can't encode in binary form: the server's input function reads
 * the text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "row/copy_text.h"

#include <assert.h>

/* The character after the backslash that stands for `c`; 0: `c` needs no escape. */
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

/* Escapes the bytes after `start` in place, from the end to the front. */
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
