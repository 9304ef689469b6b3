/*
 * The parser never looks behind the text: the arena's copy ends in NUL, the text itself holds
 * none, and every character that is looked for is not NUL.
 *
 * White space is skipped in front of tokens and words, never within them: "$.a | trim" and
 * "$.a|trim" are the same, "$ . a" is not "$.a". Words of the grammar (and, or, not, in, like,
 * is, null, else, unit) are taken in any case, names and constants as they stand.
 *
 * Numbers are JSON's (RFC 8259, section 6), so "007", "+5" and ".5" are mistakes here, although a
 * text of a payload that looks like that is read as a number.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/parser.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "base/ascii.h"
#include "base/text.h"
#include "decode/json_scan.h"

enum {
    ARENA_BLOCK_BYTES = 512,
    SUGGESTIONS_MAX = 4,
};

enum outcome parser_init(struct parser *parser, struct slice text, const struct scope *scope,
                         struct error *error)
{
    if (!text_is_utf8(text)) {
        return error_set(error, OUTCOME_REJECT, "not UTF-8");
    }
    if (text_has_nul(text)) {
        return error_set(error, OUTCOME_REJECT, "holds a NUL");
    }
    *parser = (struct parser){.scope = scope, .error = error};
    parser->arena = arena_new(ARENA_BLOCK_BYTES);
    parser->text = arena_copy(parser->arena, text);
    return OUTCOME_OK;
}

enum outcome parser_fail(struct parser *parser, size_t at, const char *hint, const char *format,
                         ...)
{
    assert(at <= parser->text.length);
    char what[ERROR_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    size_t character = text_characters(slice_make(parser->text.data, at)) + 1;
    return error_set(parser->error, OUTCOME_REJECT, "%s at character %zu%s%s%s", what, character,
                     hint != NULL ? " (" : "", hint != NULL ? hint : "", hint != NULL ? ")" : "");
}

/* The text in row `index` of a table whose texts lie `stride` bytes apart. */
static const char *word_at(const char *const *words, size_t index, size_t stride)
{
    assert(stride >= sizeof(char *));
    const char *word;
    memcpy(&word, (const char *) words + index * stride, sizeof(word));
    return word;
}

const char *parser_suggest(struct parser *parser, struct slice word, const char *const *words,
                           size_t count, size_t stride)
{
    struct slice list = {0};
    size_t found = 0;
    for (size_t i = 0; i < count && found < SUGGESTIONS_MAX && word.length > 0; i++) {
        const char *candidate = word_at(words, i, stride);
        if (strncasecmp(candidate, word.data, word.length) == 0) {
            list = arena_printf(parser->arena, "%.*s%s%s", SLICE_ARGS(list), found > 0 ? ", " : "",
                                candidate);
            found++;
        }
    }
    const char *near = found > 0 ? list.data : text_suggest(word, words, count, stride);
    return near == NULL ? NULL : arena_printf(parser->arena, "did you mean %s?", near).data;
}

bool parser_at_end(const struct parser *parser)
{
    return parser->at == parser->text.length;
}

char parser_peek(const struct parser *parser)
{
    assert(parser->at <= parser->text.length);
    return parser->text.data[parser->at]; /* arena_copy() put a NUL behind the text */
}

void parser_skip_space(struct parser *parser)
{
    while (memchr(" \t\r\n", parser_peek(parser), 4) != NULL) {
        parser->at++;
    }
}

bool parser_take(struct parser *parser, const char *token)
{
    parser_skip_space(parser);
    size_t length = strlen(token);
    if (strncmp(parser->text.data + parser->at, token, length) != 0) {
        return false;
    }
    parser->at += length;
    assert(parser->at <= parser->text.length);
    return true;
}

/* A letter, "_" or a byte of a character beyond ASCII. */
static bool is_name_first(char c)
{
    return ascii_is_letter(c) || c == '_' || (c & 0x80) != 0;
}

struct slice parser_name(struct parser *parser)
{
    const char *start = parser->text.data + parser->at;
    if (is_name_first(*start)) {
        while (is_name_first(parser_peek(parser)) || ascii_is_digit(parser_peek(parser))) {
            parser->at++;
        }
    }
    return slice_make(start, (size_t) (parser->text.data + parser->at - start));
}

bool parser_ends_name(const struct parser *parser)
{
    return strchr(" \t\r\n.[]|:=!<>~^(),", parser_peek(parser)) != NULL; /* or NUL, the end */
}

bool parser_at_constant(const struct parser *parser)
{
    char next = parser_peek(parser);
    if (next == '\'' || ascii_is_digit(next) || next == '-' || next == '+' || next == '.') {
        return true;
    }
    struct parser ahead = *parser;
    struct slice word = parser_name(&ahead);
    return slice_is(word, "true") || slice_is(word, "false") || slice_is(word, "null");
}

bool parser_take_word(struct parser *parser, const char *word)
{
    parser_skip_space(parser);
    size_t start = parser->at;
    struct slice found = parser_name(parser);
    if (found.length == strlen(word) && strncasecmp(found.data, word, found.length) == 0) {
        return true;
    }
    parser->at = start;
    return false;
}

enum outcome parser_quoted(struct parser *parser, struct slice *text)
{
    assert(parser_peek(parser) == '\'');
    size_t start = parser->at++;
    char *out = arena_alloc(parser->arena, parser->text.length - start);
    size_t length = 0;
    while (!parser_at_end(parser)) {
        char c = parser->text.data[parser->at++];
        if (c == '\'' && parser_peek(parser) != '\'') {
            *text = slice_make(out, length);
            return OUTCOME_OK;
        }
        parser->at += c == '\'';
        assert(length < parser->text.length - start);
        out[length++] = c;
    }
    return parser_fail(parser, start, NULL, "quote without an end");
}

/* All that could belong to a number, so that "1.2.3" is told as a whole. */
static enum outcome parse_number(struct parser *parser, struct value *value)
{
    size_t start = parser->at;
    char c = parser_peek(parser);
    while (ascii_is_digit(c) || is_name_first(c) || c == '.' || c == '+' || c == '-') {
        parser->at++;
        c = parser_peek(parser);
    }
    *value = value_number(slice_make(parser->text.data + start, parser->at - start));
    if (!json_is_number(value->text)) {
        bool path = value->text.length > 1 && value->text.data[0] == '.' &&
                    is_name_first(value->text.data[1]);
        return parser_fail(parser, start,
                           path ? "a member of the payload is written $.name"
                                : "numbers look like 12, -0.5, 1e6",
                           "\"%.*s\" is not a number", SLICE_ARGS(value->text));
    }
    return OUTCOME_OK;
}

/* The `word` that stands at `start`, or something else that is none. */
static enum outcome fail_constant(struct parser *parser, size_t start, struct slice word)
{
    static const char *const known[] = {"true", "false", "null"};
    if (word.length == 0) {
        return parser_fail(parser, start, "'text', a number, true, false or null",
                           "constant expected");
    }
    const char *hint = "text stands in single quotes";
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strlen(known[i]) == word.length && strncasecmp(known[i], word.data, word.length) == 0) {
            hint = arena_printf(parser->arena, "write %s", known[i]).data;
        }
    }
    return parser_fail(parser, start, hint, "\"%.*s\" is not a constant", SLICE_ARGS(word));
}

enum outcome parser_constant(struct parser *parser, struct value *value)
{
    parser_skip_space(parser);
    char c = parser_peek(parser);
    if (c == '\'') {
        *value = value_text((struct slice){0});
        return parser_quoted(parser, &value->text);
    }
    if (ascii_is_digit(c) || c == '-' || c == '+' || c == '.') {
        return parse_number(parser, value);
    }
    size_t start = parser->at;
    struct slice word = parser_name(parser);
    if (slice_is(word, "true") || slice_is(word, "false")) {
        *value = value_boolean(word.data[0] == 't');
    } else if (slice_is(word, "null")) {
        *value = value_null();
    } else {
        return fail_constant(parser, start, word);
    }
    return OUTCOME_OK;
}

size_t parser_quoted_at(const struct parser *parser, size_t start, size_t offset)
{
    assert(start < parser->text.length && parser->text.data[start] == '\'');
    size_t at = start + 1;
    for (; offset > 0 && at < parser->text.length; offset--) {
        at += parser->text.data[at] == '\'' ? 2 : 1;
    }
    return at < parser->text.length ? at : parser->text.length;
}
