/*
 * A reason reads: VALUE WHAT, with the value in quotes when it is a text, cut at
 * QUOTED_CHARACTERS_MAX characters. convert.c puts column and type in front, the mapper rule and
 * row.
 *
 * SPDX-License-Identifier: MIT
 */
#include "row/convert_reject.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/ascii.h"
#include "base/text.h"

enum { QUOTED_CHARACTERS_MAX = 40 };

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
    assert(format[0] != '\0');
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
    assert(column->type_name != NULL);
    return reject_value(error, value, "can't become %.*s", element_name_length(column->type_name),
                        column->type_name);
}

bool is_word(struct slice text, const char *word)
{
    size_t i = 0;
    for (; i < text.length && word[i] != '\0'; i++) {
        if (ascii_to_lower(text.data[i]) != word[i]) {
            return false;
        }
    }
    return i == text.length && word[i] == '\0';
}
