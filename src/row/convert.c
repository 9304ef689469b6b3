/* SPDX-License-Identifier: MIT */
#include "row/convert.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "row/convert_family.h"

enum { QUOTED_CHARACTERS_MAX = 40 };

static enum outcome convert_none(const struct value *value, const struct column_shape *column,
                                 struct arena *arena, struct datum *datum, struct error *error)
{
    (void) column;
    (void) arena;
    (void) error;
    datum->value = *value;
    return OUTCOME_OK;
}

static convert_function *const families[] = {
    [TYPE_NONE] = convert_none,
    [TYPE_BOOL] = convert_bool,
    [TYPE_INT2] = convert_integer,
    [TYPE_INT4] = convert_integer,
    [TYPE_INT8] = convert_integer,
    [TYPE_FLOAT4] = convert_real,
    [TYPE_FLOAT8] = convert_real,
    [TYPE_NUMERIC] = convert_numeric,
    [TYPE_TEXT] = convert_text,
    [TYPE_VARCHAR] = convert_limited_text,
    [TYPE_CHAR] = convert_limited_text,
    [TYPE_BYTEA] = convert_bytea,
    [TYPE_JSON] = convert_json,
    [TYPE_JSONB] = convert_json,
    [TYPE_UUID] = convert_uuid,
    [TYPE_DATE] = convert_date,
    [TYPE_TIME] = convert_time,
    [TYPE_TIMESTAMP] = convert_timestamp,
    [TYPE_TIMESTAMPTZ] = convert_timestamp,
    [TYPE_INTERVAL] = convert_interval,
    [TYPE_INET] = convert_inet,
    [TYPE_OTHER] = convert_other,
};

enum outcome convert_element(const struct value *value, const struct column_shape *column,
                             struct arena *arena, struct datum *datum, struct error *error)
{
    datum->family = column->family;
    datum->null = false;
    datum->array = false;
    return families[column->family](value, column, arena, datum, error);
}

enum outcome convert_value(const struct value *value, const struct column_shape *column,
                           struct arena *arena, struct datum *datum, struct error *error)
{
    bool array = column->array && column->family != TYPE_NONE;
    bool is_float = column->family == TYPE_FLOAT4 || column->family == TYPE_FLOAT8;
    struct value special;
    if (value->kind == VALUE_NULL && value->text.length > 0 && is_float && !array) {
        special = value_text(value->text); /* NaN or Infinity in lenient JSON */
        value = &special;
    }
    if (value->kind == VALUE_NULL) {
        *datum = (struct datum){.family = column->family, .null = true, .array = array};
        return !column->not_null
                   ? OUTCOME_OK
                   : error_set(error, OUTCOME_REJECT,
                               "column \"%s\" is not null but the value is missing", column->name);
    }
    enum outcome outcome = array ? convert_array(value, column, arena, datum, error)
                                 : convert_element(value, column, arena, datum, error);
    if (outcome != OUTCOME_OK) {
        error_prefix(error, "column \"%s\" (%s)", column->name, column->type_name);
    }
    return outcome;
}

/* What a person calls the value. */
static void append_value(struct buf *out, const struct value *value)
{
    switch (value->kind) {
    case VALUE_BOOLEAN:
        buf_append_text(out, value->boolean ? "true" : "false");
        break;
    case VALUE_NUMBER:
        text_append_printable(out, value->text, QUOTED_CHARACTERS_MAX);
        break;
    case VALUE_TEXT:
    case VALUE_BYTES:
        buf_append_byte(out, '"');
        text_append_printable(out, value->text, QUOTED_CHARACTERS_MAX);
        buf_append_byte(out, '"');
        break;
    case VALUE_TIME:
        buf_append_text(out, "a timestamp");
        break;
    case VALUE_ARRAY:
        buf_append_text(out, "an array");
        break;
    case VALUE_OBJECT:
        buf_append_text(out, "an object");
        break;
    case VALUE_NULL:
        buf_append_text(out, value_kind_name(value->kind));
        break;
    }
}

enum outcome reject_value(struct error *error, const struct value *value, const char *format, ...)
{
    struct buf text = {0};
    append_value(&text, value);
    buf_append_byte(&text, ' ');

    char reason[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    buf_append_text(&text, reason);

    error_set(error, OUTCOME_REJECT, "%s", buf_string(&text));
    buf_fini(&text);
    return OUTCOME_REJECT;
}

/* The elements of "integer[]" are of type "integer". */
static int element_name_length(const char *type_name)
{
    struct slice name = slice_of(type_name);
    bool array = name.length > 2 && memcmp(name.data + name.length - 2, "[]", 2) == 0;
    return (int) (array ? name.length - 2 : name.length);
}

enum outcome reject_kind(struct error *error, const struct value *value,
                         const struct column_shape *column)
{
    return reject_value(error, value, "can't become %.*s", element_name_length(column->type_name),
                        column->type_name);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct slice trim(struct slice text)
{
    while (text.length > 0 && is_space(text.data[0])) {
        text = slice_make(text.data + 1, text.length - 1);
    }
    while (text.length > 0 && is_space(text.data[text.length - 1])) {
        text.length--;
    }
    return text;
}

bool is_word(struct slice text, const char *word)
{
    size_t i = 0;
    for (; i < text.length && word[i] != '\0'; i++) {
        char c = text.data[i];
        if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != word[i]) {
            return false;
        }
    }
    return i == text.length && word[i] == '\0';
}
