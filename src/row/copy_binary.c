/*
 * A row: how many fields (16 bits), then each field: its length (32 bits, -1 for null) and its
 * bytes, big-endian.
 *
 *   bool 1   int2 2   int4 4   int8 8   float4 4   float8 8
 *   date 4   time 8   timestamp 8   uuid 16
 *   interval 16: microseconds 8, days 4, months 4         jsonb: version 1, then its text
 *   numeric: numeric.c                                    inet: as the datum holds it
 *   array: dimensions 4, has nulls 4, element type 4, per dimension length 4 and lower bound 4,
 *          then its elements as fields
 *
 * SPDX-License-Identifier: MIT
 */
#include "row/copy_binary.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "row/numeric.h"

#define FIELD_NULL UINT32_MAX
enum { JSONB_VERSION = 1 };
enum { LENGTH_BYTES = 4 };

/* These functions write the usual fields with one reservation each. */
static void append_field8(struct buf *out, uint8_t value)
{
    char *at = buf_reserve(out, LENGTH_BYTES + 1);
    uint32_t length = htobe32(1);
    memcpy(at, &length, sizeof(length));
    at[LENGTH_BYTES] = (char) value;
    out->length += LENGTH_BYTES + 1;
}

/* int2 */
static void append_field16(struct buf *out, uint16_t value)
{
    buf_append_be32(out, sizeof(value));
    buf_append_be16(out, value);
}

/* int4, date, float4 */
static void append_field32(struct buf *out, uint32_t value)
{
    char *at = buf_reserve(out, LENGTH_BYTES + sizeof(value));
    uint32_t length = htobe32(sizeof(value));
    value = htobe32(value);
    memcpy(at, &length, sizeof(length));
    memcpy(at + LENGTH_BYTES, &value, sizeof(value));
    out->length += LENGTH_BYTES + sizeof(value);
}

/* int8, float8, time, timestamp */
static void append_field64(struct buf *out, uint64_t value)
{
    char *at = buf_reserve(out, LENGTH_BYTES + sizeof(value));
    uint32_t length = htobe32(sizeof(value));
    value = htobe64(value);
    memcpy(at, &length, sizeof(length));
    memcpy(at + LENGTH_BYTES, &value, sizeof(value));
    out->length += LENGTH_BYTES + sizeof(value);
}

/* Texts, and what the datum holds in binary form. */
static void append_bytes(struct buf *out, struct slice bytes)
{
    assert(bytes.length < UINT32_MAX);
    char *at = buf_reserve(out, LENGTH_BYTES + bytes.length);
    uint32_t length = htobe32((uint32_t) bytes.length);
    memcpy(at, &length, sizeof(length));
    if (bytes.length > 0) {
        memcpy(at + LENGTH_BYTES, bytes.data, bytes.length);
    }
    out->length += LENGTH_BYTES + bytes.length;
}

/* The bits of a float of 32 bits; the datum has been rounded to it already. */
static uint32_t float4_bits(double real)
{
    float single = (float) real;
    uint32_t bits;
    memcpy(&bits, &single, sizeof(bits));
    return bits;
}

/* The bits of a float of 64 bits. */
static uint64_t float8_bits(double real)
{
    uint64_t bits;
    memcpy(&bits, &real, sizeof(bits));
    return bits;
}

/* interval_send() */
static void append_interval(struct buf *out, struct datum_interval interval)
{
    buf_append_be32(out, 16);
    buf_append_be64(out, (uint64_t) interval.us);
    buf_append_be32(out, (uint32_t) interval.days);
    buf_append_be32(out, (uint32_t) interval.months);
}

/* jsonb_send(): a version in front of the text. */
static void append_jsonb(struct buf *out, struct slice text)
{
    assert(text.length < UINT32_MAX);
    buf_append_be32(out, (uint32_t) text.length + 1);
    buf_append_byte(out, JSONB_VERSION);
    buf_append_slice(out, text);
}

/* Writes the length of the bytes after `start` into the four bytes that were left at `start`. */
static void put_length(struct buf *out, size_t start)
{
    assert(start + LENGTH_BYTES <= out->length);
    buf_put_be32(out, start, (uint32_t) (out->length - start - LENGTH_BYTES));
}

/* Its length is known only when it is written. */
static void append_numeric(struct buf *out, struct slice text)
{
    assert(text.length > 0);
    size_t start = out->length;
    buf_append_zeros(out, LENGTH_BYTES);
    numeric_append_binary(out, text);
    put_length(out, start);
}

/* Neither null nor an array. */
static void append_scalar(struct buf *out, const struct datum *datum)
{
    assert(!datum->null && !datum->array);
    switch (datum->family) {
    case TYPE_BOOL:
        append_field8(out, datum->boolean);
        break;
    case TYPE_INT2:
        append_field16(out, (uint16_t) datum->integer);
        break;
    case TYPE_INT4:
    case TYPE_DATE:
        append_field32(out, (uint32_t) datum->integer);
        break;
    case TYPE_INT8:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        append_field64(out, (uint64_t) datum->integer);
        break;
    case TYPE_FLOAT4:
        append_field32(out, float4_bits(datum->real));
        break;
    case TYPE_FLOAT8:
        append_field64(out, float8_bits(datum->real));
        break;
    case TYPE_NUMERIC:
        append_numeric(out, datum->text);
        break;
    case TYPE_INTERVAL:
        append_interval(out, datum->interval);
        break;
    case TYPE_JSONB:
        append_jsonb(out, datum->text);
        break;
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_CHAR:
    case TYPE_BYTEA:
    case TYPE_JSON:
    case TYPE_UUID:
    case TYPE_INET:
        append_bytes(out, datum->text);
        break;
    case TYPE_NONE:
    case TYPE_OTHER:
        abort(); /* column_has_binary() is false for every other family */
    }
}

/* The flag is part of the header, so nulls must be looked for before the elements are written. */
static bool has_nulls(const struct datum_array *array)
{
    for (size_t i = 0; i < array->count; i++) {
        if (array->elements[i].null) {
            return true;
        }
    }
    return false;
}

static void append_field(struct buf *out, const struct datum *datum,
                         const struct column_shape *column);

/* array_send() */
static void append_array(struct buf *out, const struct datum_array *array,
                         const struct column_shape *column)
{
    assert(array->dimensions >= 0 && array->dimensions <= DATUM_DIMENSIONS_MAX);
    size_t start = out->length;
    buf_append_zeros(out, LENGTH_BYTES);
    buf_append_be32(out, (uint32_t) array->dimensions);
    buf_append_be32(out, has_nulls(array));
    buf_append_be32(out, column->element_oid);
    for (int i = 0; i < array->dimensions; i++) {
        buf_append_be32(out, (uint32_t) array->lengths[i]);
        buf_append_be32(out, 1);
    }
    for (size_t i = 0; i < array->count; i++) {
        append_field(out, &array->elements[i], column);
    }
    put_length(out, start);
}

/* A field of a row, or an element of an array, with its length in front. */
static void append_field(struct buf *out, const struct datum *datum,
                         const struct column_shape *column)
{
    if (datum->null) {
        buf_append_be32(out, FIELD_NULL);
    } else if (datum->array) {
        append_array(out, datum->elements, column);
    } else {
        append_scalar(out, datum);
    }
}

void copy_binary_append_row(struct buf *out, const struct datum *datums,
                            const struct column_shape *const *columns, size_t count)
{
    buf_append_be16(out, (uint16_t) count);
    for (size_t i = 0; i < count; i++) {
        append_field(out, &datums[i], columns[i]);
    }
}
