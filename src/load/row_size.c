/* SPDX-License-Identifier: MIT */
#include "load/row_size.h"

/* Bytes of a value outside of its struct. */
static size_t datum_bytes(const struct datum *datum)
{
    if (datum->null) {
        return 0;
    }
    if (datum->array) {
        return datum->elements->count * sizeof(struct datum);
    }
    switch (datum->family) {
    case TYPE_NONE:
        return datum->value.text.length;
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_CHAR:
    case TYPE_JSON:
    case TYPE_JSONB:
    case TYPE_BYTEA:
    case TYPE_OTHER:
        return datum->text.length;
    default:
        return 0;
    }
}

/* For the limit on the rows that one message may become. */
size_t row_size(const struct datum *row, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += datum_bytes(&row[i]);
    }
    return bytes;
}
