/*
 * Values into text, varchar(n), char(n), bytea, and into types that are known by their text form
 * only.
 *
 * Everything but NUL and invalid UTF-8 goes into a text: numbers as their digits came, booleans
 * as "true" and "false", times in RFC 3339, documents as JSON. varchar(n) and char(n) count
 * characters.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>

#include "base/text.h"
#include "core/calendar.h"
#include "core/document.h"
#include "row/convert_family.h"
#include "row/convert_reject.h"

enum { NAME_OID = 19, NAME_BYTES_MAX = 63 };
enum { TYPMOD_HEADER = 4 };
enum { RFC3339_BYTES_MAX = 64 };

struct slice format_rfc3339(int64_t time_us, struct arena *arena)
{
    int64_t days = time_us / DAY_US - (time_us % DAY_US < 0);
    int64_t rest = time_us - days * DAY_US;
    int64_t seconds = rest / SECOND_US;
    struct civil_date date = calendar_date(days - EPOCH_2000_US / DAY_US);
    char *text = arena_alloc(arena, RFC3339_BYTES_MAX);
    int length = snprintf(text, RFC3339_BYTES_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", date.year,
                          date.month, date.day, (int) (seconds / 3600), (int) (seconds / 60 % 60),
                          (int) (seconds % 60), (int) (rest % SECOND_US));
    assert(length > 0 && length < RFC3339_BYTES_MAX);
    return slice_make(text, (size_t) length);
}

/* The text for any text type; *text borrows where it can. */
static enum outcome text_of(const struct value *value, struct arena *arena, struct slice *text,
                            struct error *error)
{
    *text = value->text;
    switch (value->kind) {
    case VALUE_BOOLEAN:
        *text = slice_of(value->boolean ? "true" : "false");
        break;
    case VALUE_TIME:
        *text = format_rfc3339(value->time_us, arena);
        break;
    case VALUE_ARRAY:
    case VALUE_OBJECT:
        *text = value_json(value, arena);
        break;
    case VALUE_BYTES:
        if (!text_is_utf8(value->text)) {
            return reject_value(error, value, "is not UTF-8");
        }
        break;
    default:
        break;
    }
    if (text_has_nul(*text)) {
        return reject_value(error, value, "holds a NUL character, which PostgreSQL can't store");
    }
    return OUTCOME_OK;
}

enum outcome convert_text(const struct value *value, const struct column_shape *column,
                          struct arena *arena, struct datum *datum, struct error *error)
{
    enum outcome outcome = text_of(value, arena, &datum->text, error);
    uint32_t oid = column->array ? column->element_oid : column->type_oid;
    if (outcome == OUTCOME_OK && oid == NAME_OID && datum->text.length > NAME_BYTES_MAX) {
        return reject_value(error, value, "is longer than %d bytes", NAME_BYTES_MAX);
    }
    return outcome;
}

enum outcome convert_other(const struct value *value, const struct column_shape *column,
                           struct arena *arena, struct datum *datum, struct error *error)
{
    (void) column;
    return text_of(value, arena, &datum->text, error);
}

/* How many bytes the first `characters` of well-formed UTF-8 take. */
static size_t bytes_of_characters(struct slice text, size_t characters)
{
    size_t i = 0;
    for (; i < text.length; i++) {
        bool first = ((unsigned char) text.data[i] & 0xc0) != 0x80;
        if (first && characters-- == 0) {
            break;
        }
    }
    return i;
}

/* Blanks beyond the limit are dropped, as the SQL standard and PostgreSQL have it. */
enum outcome convert_limited_text(const struct value *value, const struct column_shape *column,
                                  struct arena *arena, struct datum *datum, struct error *error)
{
    assert(column->family == TYPE_VARCHAR || column->family == TYPE_CHAR);
    enum outcome outcome = text_of(value, arena, &datum->text, error);
    if (outcome != OUTCOME_OK || column->typmod < TYPMOD_HEADER) {
        return outcome;
    }
    size_t limit = (size_t) (column->typmod - TYPMOD_HEADER);
    if (datum->text.length <= limit) {
        return OUTCOME_OK;
    }
    size_t fits = bytes_of_characters(datum->text, limit);
    for (size_t i = fits; i < datum->text.length; i++) {
        if (datum->text.data[i] != ' ') {
            return reject_value(error, value, "is longer than %zu character%s", limit,
                                limit == 1 ? "" : "s");
        }
    }
    assert(fits <= datum->text.length);
    datum->text.length = fits;
    return OUTCOME_OK;
}

enum outcome convert_bytea(const struct value *value, const struct column_shape *column,
                           struct arena *arena, struct datum *datum, struct error *error)
{
    (void) arena;
    if (value->kind != VALUE_TEXT && value->kind != VALUE_BYTES) {
        return reject_kind(error, value, column);
    }
    datum->text = value->text;
    return OUTCOME_OK;
}
