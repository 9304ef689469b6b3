/*
 * The frame around rows. COPY BINARY: signature, flags, no extension; rows; -1 as the count of
 * fields (postgresql.org/docs/current/sql-copy.html). The text form has no frame.
 *
 * SPDX-License-Identifier: MIT
 */
#include "row/copy_format.h"

#include <assert.h>

#include "row/copy_binary.h"
#include "row/copy_text.h"

enum { SIGNATURE_BYTES = 11 }; /* with its NUL */

void copy_append_header(struct buf *out, enum copy_format format)
{
    if (format == COPY_BINARY) {
        buf_append(out, "PGCOPY\n\377\r\n", SIGNATURE_BYTES);
        buf_append_be32(out, 0); /* flags */
        buf_append_be32(out, 0); /* length of the extension */
    }
}

void copy_append_trailer(struct buf *out, enum copy_format format)
{
    if (format == COPY_BINARY) {
        buf_append_be16(out, UINT16_MAX); /* -1 fields */
    }
}

void copy_append_row(struct buf *out, enum copy_format format, const struct datum *datums,
                     const struct column_shape *const *columns, size_t count)
{
    assert(format == COPY_BINARY || format == COPY_TEXT);
    if (format == COPY_BINARY) {
        copy_binary_append_row(out, datums, columns, count);
    } else {
        copy_text_append_row(out, datums, columns, count);
    }
}
