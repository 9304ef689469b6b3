/*
 * Datums in PostgreSQL's text form (declared in copy_format.h), as its output functions write them
 * with DateStyle ISO, IntervalStyle postgres, TimeZone UTC.
 *
 * Each function is named after what it writes; PostgreSQL's own is named where its rules are odd.
 * The text is what a server with the settings above prints, so tests can compare both byte by
 * byte, and what its input function reads, so COPY's text form is made of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "row/datum_text.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>

#include "core/calendar.h"
#include "core/document.h"
#include "core/real_text.h"
#include "row/convert_family.h"
#include "row/convert_reject.h"
#include "row/copy_format.h"

enum { INET_BITS = 1, INET_IS_CIDR = 2, INET_LENGTH = 3, INET_ADDRESS = 4 };
enum { BOX_OID = 603 }; /* the one built-in type whose arrays are separated by semicolons */

/* As int8out(). */
static void append_integer(struct buf *out, int64_t integer)
{
    char digits[24];
    char *at = digits + sizeof(digits);
    uint64_t rest = integer < 0 ? 0 - (uint64_t) integer : (uint64_t) integer;
    do {
        *--at = (char) ('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (integer < 0) {
        *--at = '-';
    }
    buf_append(out, at, (size_t) (digits + sizeof(digits) - at));
}

/* `number` is not negative and `width` at most 6. */
static void append_padded(struct buf *out, int64_t number, size_t width)
{
    assert(number >= 0 && width <= 6);
    size_t digits = 1;
    for (int64_t limit = 10; number >= limit && digits < width; limit *= 10) {
        digits++;
    }
    buf_append(out, "000000", width - digits);
    append_integer(out, number);
}

/* --- date and time ---------------------------------------------------------------------------- */

/* The year without its era: 1 BC is the year 0 here. */
static void append_date(struct buf *out, struct civil_date date)
{
    assert(date.month >= 1 && date.month <= 12 && date.day >= 1 && date.day <= 31);
    append_padded(out, date.year > 0 ? date.year : 1 - date.year, 4);
    buf_append_byte(out, '-');
    append_padded(out, date.month, 2);
    buf_append_byte(out, '-');
    append_padded(out, date.day, 2);
}

/* Stands behind the time, if there is one. */
static void append_era(struct buf *out, struct civil_date date)
{
    if (date.year <= 0) {
        buf_append_text(out, " BC");
    }
}

/* hh:mm:ss and what there is of a fraction. */
static void append_clock(struct buf *out, int64_t us)
{
    assert(us >= 0);
    int64_t seconds = us / SECOND_US;
    int64_t fraction = us % SECOND_US;
    append_padded(out, seconds / 3600, 2);
    buf_append_byte(out, ':');
    append_padded(out, seconds / 60 % 60, 2);
    buf_append_byte(out, ':');
    append_padded(out, seconds % 60, 2);
    if (fraction != 0) {
        buf_append_byte(out, '.');
        append_padded(out, fraction, 6);
        while (out->data[out->length - 1] == '0') {
            out->length--;
        }
    }
}

/* False when the number is neither of both ends, which stand for the infinities. */
static bool append_infinite(struct buf *out, int64_t integer, int64_t low, int64_t high)
{
    assert(low < high);
    if (integer == low || integer == high) {
        buf_append_text(out, integer == low ? "-infinity" : "infinity");
        return true;
    }
    return false;
}

/* Microseconds since 2000-01-01; with a zone that is always UTC's. */
static void append_timestamp(struct buf *out, int64_t us, bool zone)
{
    if (append_infinite(out, us, INT64_MIN, INT64_MAX)) {
        return;
    }
    int64_t days = us / DAY_US - (us % DAY_US < 0);
    struct civil_date date = calendar_date(days);
    append_date(out, date);
    buf_append_byte(out, ' ');
    append_clock(out, us - days * DAY_US);
    if (zone) {
        buf_append_text(out, "+00");
    }
    append_era(out, date);
}

/* EncodeInterval() with IntervalStyle postgres: "1 year -2 mons +3 days -04:05:06"; a positive
 * field behind a negative one has a plus. */
struct interval_form {
    struct buf *out;
    bool any;      /* something stands before */
    bool negative; /* and the last of it is negative */
};

/* "2 mons", with a blank in front of it where something stands before. */
static void append_field(struct interval_form *form, int32_t count, const char *unit)
{
    if (count == 0) {
        return;
    }
    buf_append_text(form->out, form->any ? " " : "");
    buf_append_text(form->out, form->negative && count > 0 ? "+" : "");
    append_integer(form->out, count);
    buf_append_text(form->out, unit);
    buf_append_text(form->out, count != 1 ? "s" : "");
    form->any = true;
    form->negative = count < 0;
}

/* interval_out(): an interval without any part is 00:00:00. */
static void append_interval(struct buf *out, struct datum_interval interval)
{
    struct interval_form form = {.out = out};
    append_field(&form, interval.months / 12, " year");
    append_field(&form, interval.months % 12, " mon");
    append_field(&form, interval.days, " day");
    if (interval.us == 0 && form.any) {
        return;
    }
    buf_append_text(out, form.any ? " " : "");
    buf_append_text(out, interval.us < 0 ? "-" : form.negative ? "+" : "");
    uint64_t us = interval.us < 0 ? 0 - (uint64_t) interval.us : (uint64_t) interval.us;
    if (us > INT64_MAX) { /* INT64_MIN: its magnitude is one too large for append_clock() */
        buf_append_text(out, "2562047788:00:54.775808");
        return;
    }
    append_clock(out, (int64_t) us);
}

/* --- the rest --------------------------------------------------------------------------------- */

/* 8-4-4-4-12 digits. */
static void append_uuid(struct buf *out, struct slice uuid)
{
    assert(uuid.length == 16);
    static const size_t parts[] = {4, 2, 2, 2, 6};
    const char *at = uuid.data;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (i > 0) {
            buf_append_byte(out, '-');
        }
        buf_append_hex(out, slice_make(at, parts[i]));
        at += parts[i];
    }
}

/* inet leaves out a mask that covers all; cidr never does. */
static void append_inet(struct buf *out, struct slice form)
{
    assert(form.length == (size_t) INET_ADDRESS + (unsigned char) form.data[INET_LENGTH]);
    char text[INET6_ADDRSTRLEN];
    unsigned char bytes = (unsigned char) form.data[INET_LENGTH];
    unsigned bits = (unsigned char) form.data[INET_BITS];
    if (inet_ntop(bytes == 4 ? AF_INET : AF_INET6, form.data + INET_ADDRESS, text, sizeof(text)) !=
        NULL) {
        buf_append_text(out, text);
    }
    if (form.data[INET_IS_CIDR] != 0 || bits != bytes * 8U) {
        buf_append_byte(out, '/');
        append_integer(out, bits);
    }
}

/* TYPE_NONE: nothing is known but the value. */
static void append_value(struct buf *out, const struct value *value)
{
    switch (value->kind) {
    case VALUE_BOOLEAN:
        buf_append_text(out, value->boolean ? "true" : "false");
        break;
    case VALUE_TIME:
        append_timestamp(out, value->time_us - EPOCH_2000_US, true);
        break;
    case VALUE_BYTES:
        buf_append_text(out, "\\x");
        buf_append_hex(out, value->text);
        break;
    case VALUE_ARRAY:
    case VALUE_OBJECT:
        value_append_json(out, value);
        break;
    default:
        buf_append_slice(out, value->text);
        break;
    }
}

void datum_append_scalar(struct buf *out, const struct datum *datum)
{
    assert(!datum->null && !datum->array);
    switch (datum->family) {
    case TYPE_NONE:
        append_value(out, &datum->value);
        break;
    case TYPE_BOOL:
        buf_append_byte(out, datum->boolean ? 't' : 'f');
        break;
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
        append_integer(out, datum->integer);
        break;
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        real_append_text(out, datum->real, datum->family == TYPE_FLOAT4);
        break;
    case TYPE_DATE:
        if (!append_infinite(out, datum->integer, INT32_MIN, INT32_MAX)) {
            struct civil_date date = calendar_date(datum->integer);
            append_date(out, date);
            append_era(out, date);
        }
        break;
    case TYPE_TIME:
        append_clock(out, datum->integer);
        break;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        append_timestamp(out, datum->integer, datum->family == TYPE_TIMESTAMPTZ);
        break;
    case TYPE_INTERVAL:
        append_interval(out, datum->interval);
        break;
    case TYPE_UUID:
        append_uuid(out, datum->text);
        break;
    case TYPE_INET:
        append_inet(out, datum->text);
        break;
    case TYPE_BYTEA:
        buf_append_text(out, "\\x");
        buf_append_hex(out, datum->text);
        break;
    case TYPE_NUMERIC:
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_CHAR:
    case TYPE_JSON:
    case TYPE_JSONB:
    case TYPE_OTHER:
        buf_append_slice(out, datum->text);
        break;
    }
}

/* --- arrays ----------------------------------------------------------------------------------- */

/* What stands between the elements of an array of this type. */
static char delimiter_of(const struct column_shape *column)
{
    if (column->delimiter != '\0') {
        return column->delimiter;
    }
    return column->element_oid == BOX_OID ? ';' : ',';
}

/* Would array_in() read these characters as something else than themselves? */
static bool needs_quotes(struct slice text, char delimiter)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c == '"' || c == '\\' || c == '{' || c == '}' || c == delimiter || c == ' ' ||
            (c >= '\t' && c <= '\r')) {
            return true;
        }
    }
    return text.length == 0 || is_word(text, "null");
}

/* As array_out(): in quotes where array_in() would read something else. */
static void append_array_element(struct buf *out, const struct datum *datum, char delimiter)
{
    if (datum->null) {
        buf_append_text(out, "NULL");
        return;
    }
    size_t start = out->length;
    datum_append_scalar(out, datum);
    size_t length = out->length - start;
    if (!needs_quotes(slice_make(out->data + start, length), delimiter)) {
        return;
    }
    /* Moves the text to the end of twice its room, then copies it to the front with its
     * backslashes. */
    buf_reserve(out, length * 2 + 2);
    char *at = out->data + start;
    char *from = at + length + 2;
    memmove(from, at, length);
    *at++ = '"';
    for (size_t i = 0; i < length; i++) {
        if (from[i] == '"' || from[i] == '\\') {
            *at++ = '\\';
        }
        *at++ = from[i];
    }
    *at++ = '"';
    out->length = (size_t) (at - out->data);
}

/* One pair of braces; *next is the next element to be written. It recurses once for each
 * dimension. */
static void append_dimension(struct buf *out, const struct datum_array *array, int dimension,
                             const struct datum **next, char delimiter)
{
    assert(dimension >= 0 && dimension < array->dimensions);
    buf_append_byte(out, '{');
    for (int32_t i = 0; i < array->lengths[dimension]; i++) {
        if (i > 0) {
            buf_append_byte(out, (uint8_t) delimiter);
        }
        if (dimension + 1 < array->dimensions) {
            append_dimension(out, array, dimension + 1, next, delimiter);
        } else {
            append_array_element(out, (*next)++, delimiter);
        }
    }
    buf_append_byte(out, '}');
}

void datum_append_text(struct buf *out, const struct datum *datum,
                       const struct column_shape *column)
{
    if (datum->null) {
        return;
    }
    if (!datum->array) {
        datum_append_scalar(out, datum);
    } else if (datum->elements->dimensions == 0) {
        buf_append_text(out, "{}");
    } else {
        const struct datum *next = datum->elements->elements;
        append_dimension(out, datum->elements, 0, &next, delimiter_of(column));
    }
}
