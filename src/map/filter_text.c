/*
 * filter_text: the filters of texts: trim, lower, upper, split, extract, replace.
 *
 * With the format text a payload of digits is a number, so each of these filters takes a number as
 * the text of its digits. Bytes are no text before utf8 or latin1.
 *
 * A part or match that does not exist is null and not an empty text: split beyond the last part,
 * extract without a match. So `default` and `is not null` can tell the two apart.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/text.h"
#include "map/filter_family.h"
#include "map/letter_case.h"
#include "map/regex.h"

enum outcome filter_trim(struct value *value, const struct filter_call *call)
{
    if (value->kind == VALUE_NUMBER) {
        return OUTCOME_OK;
    }
    if (value->kind != VALUE_TEXT) {
        return filter_refuse(value, "is not text", call->error);
    }
    value->text = filter_trimmed(value->text);
    return OUTCOME_OK;
}

/* Digits have no case, so a number passes. */
static enum outcome change_case(struct value *value, const struct filter_call *call, bool upper)
{
    if (value->kind == VALUE_NUMBER) {
        return OUTCOME_OK;
    }
    if (value->kind != VALUE_TEXT) {
        return filter_refuse(value, "is not text", call->error);
    }
    value->text = letter_case(value->text, upper, call->arena);
    return OUTCOME_OK;
}

enum outcome filter_lower(struct value *value, const struct filter_call *call)
{
    return change_case(value, call, false);
}

enum outcome filter_upper(struct value *value, const struct filter_call *call)
{
    return change_case(value, call, true);
}

/* --- parts ------------------------------------------------------------------------------------ */

/* What `split` cuts at, and the part that it returns, from 0. */
struct separator {
    struct slice text;
    int part; /* negative: from the end */
};

enum outcome filter_parse_split(struct parser *parser, const struct filter *filter,
                                struct filter_arguments *arguments)
{
    struct separator *separator = arena_alloc(parser->arena, sizeof(*separator));
    struct value value;
    struct decimal number;
    int64_t part = 0;
    parser_skip_space(parser);
    size_t start = parser->at;
    if (parser_peek(parser) != '\'' || parser_quoted(parser, &separator->text) != OUTCOME_OK ||
        separator->text.length == 0) {
        return parser_fail(parser, start, "split ';' 0",
                           "filter \"%s\" takes a separator and a "
                           "number",
                           filter->name);
    }
    (void) parser_take(parser, ",");
    parser_skip_space(parser);
    start = parser->at;
    if (!parser_at_constant(parser) || parser_constant(parser, &value) != OUTCOME_OK ||
        value.kind != VALUE_NUMBER || !decimal_parse(value.text, &number) ||
        !decimal_to_int64(number, &part) || part < -INT32_MAX || part > INT32_MAX) {
        return parser_fail(parser, start, "from 0; -1 is the last one",
                           "filter \"%s\" takes the number of a part", filter->name);
    }
    separator->part = (int) part;
    arguments->compiled = separator;
    return OUTCOME_OK;
}

/* Where the separator stands from `at` on; the text's length when it does not. */
static size_t find_separator(struct slice text, struct slice separator, size_t at)
{
    assert(separator.length > 0);
    const char *found = at >= text.length ? NULL
                                          : memmem(text.data + at, text.length - at, separator.data,
                                                   separator.length);
    return found == NULL ? text.length : (size_t) (found - text.data);
}

/* How many parts the separator makes of a text: one more than it stands there. */
static int count_parts(struct slice text, struct slice separator)
{
    assert(separator.length > 0);
    int parts = 1;
    for (size_t at = find_separator(text, separator, 0); at < text.length;
         at = find_separator(text, separator, at + separator.length)) {
        parts++;
    }
    return parts;
}

enum outcome filter_split(struct value *value, const struct filter_call *call)
{
    const struct separator *separator = call->arguments->compiled;
    if (!filter_is_text(value)) {
        return filter_refuse(value, "is not text", call->error);
    }
    int wanted = separator->part;
    wanted += wanted < 0 ? count_parts(value->text, separator->text) : 0;
    size_t start = 0;
    size_t end = find_separator(value->text, separator->text, 0);
    for (; wanted > 0 && end < value->text.length; wanted--) {
        start = end + separator->text.length;
        end = find_separator(value->text, separator->text, start);
    }
    assert(start <= end && end <= value->text.length);
    *value =
        wanted == 0 ? value_text(slice_make(value->text.data + start, end - start)) : value_null();
    return OUTCOME_OK;
}

/* --- regular expressions ---------------------------------------------------------------------- */

/* The arguments of `extract` and `replace`; `extract` has no replacement. */
struct substitution {
    const struct regex *regex;
    struct slice replacement;
};

/* A regular expression in quotes, compiled. */
static enum outcome parse_regex(struct parser *parser, const struct filter *filter,
                                struct substitution *substitution)
{
    parser_skip_space(parser);
    size_t start = parser->at;
    struct slice pattern = {0};
    struct error error;
    if (parser_peek(parser) != '\'' || parser_quoted(parser, &pattern) != OUTCOME_OK) {
        return parser_fail(parser, start, "in single quotes",
                           "filter \"%s\" takes a regular expression", filter->name);
    }
    size_t at = 0;
    if (regex_compile(pattern, parser->arena, &substitution->regex, &at, &error) != OUTCOME_OK) {
        return parser_fail(parser, parser_quoted_at(parser, start, at), NULL, "%s", error.text);
    }
    return OUTCOME_OK;
}

enum outcome filter_parse_extract(struct parser *parser, const struct filter *filter,
                                  struct filter_arguments *arguments)
{
    struct substitution *substitution = arena_alloc(parser->arena, sizeof(*substitution));
    arguments->compiled = substitution;
    return parse_regex(parser, filter, substitution);
}

enum outcome filter_extract(struct value *value, const struct filter_call *call)
{
    const struct substitution *substitution = call->arguments->compiled;
    struct slice found;
    if (!filter_is_text(value)) {
        return filter_refuse(value, "is not text", call->error);
    }
    if (regex_extract(substitution->regex, value->text, &found, call->error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    *value = found.data == NULL ? value_null() : value_text(found);
    return OUTCOME_OK;
}

enum outcome filter_parse_replace(struct parser *parser, const struct filter *filter,
                                  struct filter_arguments *arguments)
{
    struct substitution *substitution = arena_alloc(parser->arena, sizeof(*substitution));
    struct error error;
    arguments->compiled = substitution;
    if (parse_regex(parser, filter, substitution) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    (void) parser_take(parser, ",");
    parser_skip_space(parser);
    size_t start = parser->at;
    if (parser_peek(parser) != '\'' ||
        parser_quoted(parser, &substitution->replacement) != OUTCOME_OK) {
        return parser_fail(parser, start, "replace ',' '.'",
                           "filter \"%s\" takes a text behind "
                           "the regular expression",
                           filter->name);
    }
    if (regex_check_replacement(substitution->regex, substitution->replacement, &error) !=
        OUTCOME_OK) {
        return parser_fail(parser, start, NULL, "%s", error.text);
    }
    return OUTCOME_OK;
}

enum outcome filter_replace(struct value *value, const struct filter_call *call)
{
    const struct substitution *substitution = call->arguments->compiled;
    if (!filter_is_text(value)) {
        return filter_refuse(value, "is not text", call->error);
    }
    struct slice text = value->text;
    if (regex_replace(substitution->regex, substitution->replacement, call->arena, &text,
                      call->error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    *value = value_text(text);
    return OUTCOME_OK;
}
