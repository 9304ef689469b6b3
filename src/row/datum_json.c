/*
 * Datums as JSON for people (declared in copy_format.h).
 *
 * For `explain`, which shows rows before they are stored: numbers, booleans, documents and nulls
 * as JSON has them, everything else as a string in PostgreSQL's text form.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <math.h>

#include "base/ascii.h"
#include "base/text.h"
#include "core/calendar.h"
#include "row/copy_format.h"
#include "row/datum_text.h"

/* Is the text form JSON as it is? NaN and the infinities are not. */
static bool is_plain(const struct datum *datum)
{
    switch (datum->family) {
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_JSON:
    case TYPE_JSONB:
        return true;
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        return isfinite(datum->real);
    case TYPE_NUMERIC: {
        char last = datum->text.data[datum->text.length - 1];
        return ascii_is_digit(last);
    }
    default:
        return false;
    }
}

/* The text form as a JSON string. */
static void append_quoted(struct buf *out, const struct datum *datum)
{
    struct buf text = {0};
    datum_append_scalar(&text, datum);
    text_append_json(out, buf_slice(&text));
    buf_fini(&text);
}

/* No type is known: by the kind of the value. */
static void append_value(struct buf *out, const struct datum *datum)
{
    assert(datum->family == TYPE_NONE);
    switch (datum->value.kind) {
    case VALUE_NULL:
        buf_append_text(out, "null");
        break;
    case VALUE_BOOLEAN:
    case VALUE_NUMBER:
    case VALUE_ARRAY:
    case VALUE_OBJECT:
        datum_append_scalar(out, datum);
        break;
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_TIME:
        append_quoted(out, datum);
        break;
    }
}

/* One datum, or one element. */
static void append_scalar(struct buf *out, const struct datum *datum)
{
    assert(!datum->array || datum->null);
    if (datum->null) {
        buf_append_text(out, "null");
    } else if (datum->family == TYPE_NONE) {
        append_value(out, datum);
    } else if (datum->family == TYPE_BOOL) {
        buf_append_text(out, datum->boolean ? "true" : "false");
    } else if (is_plain(datum)) {
        datum_append_scalar(out, datum);
    } else {
        append_quoted(out, datum);
    }
}

/* One pair of brackets; *next is the next element to be written. It recurses once for each
 * dimension. */
static void append_dimension(struct buf *out, const struct datum_array *array, int dimension,
                             const struct datum **next)
{
    assert(dimension >= 0 && dimension < array->dimensions);
    buf_append_byte(out, '[');
    for (int32_t i = 0; i < array->lengths[dimension]; i++) {
        if (i > 0) {
            buf_append_byte(out, ',');
        }
        if (dimension + 1 < array->dimensions) {
            append_dimension(out, array, dimension + 1, next);
        } else {
            append_scalar(out, (*next)++);
        }
    }
    buf_append_byte(out, ']');
}

void datum_append_json(struct buf *out, const struct datum *datum,
                       const struct column_shape *column)
{
    (void) column;
    if (datum->null || !datum->array) {
        append_scalar(out, datum);
    } else if (datum->elements->dimensions == 0) {
        buf_append_text(out, "[]");
    } else {
        const struct datum *next = datum->elements->elements;
        append_dimension(out, datum->elements, 0, &next);
    }
}
