/*
 * Paths are parsed here and not by a library: a path is a few steps long, mistakes in paths are the
 * most frequent ones of all, and each is reported at its character with the correct spelling.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/path.h"

#include <assert.h>

#include "base/ascii.h"
#include "decode/json_string.h"

static const char wildcard_hint[] = "[*] and .* belong into rows";

/* The characters up to the next step or operator: the key that the hint shows in quotes. */
static struct slice odd_key(const struct parser *parser, size_t start)
{
    assert(start <= parser->text.length);
    size_t end = start;
    while (end < parser->text.length &&
           strchr(" \t\r\n.[]|:=!<>~^(),'\"", parser->text.data[end]) == NULL) {
        end++;
    }
    return slice_make(parser->text.data + start, end - start);
}

/* Fails because the key behind a "." needs quotes. The hint shows the key in quotes. */
static enum outcome fail_odd_key(struct parser *parser, size_t start)
{
    struct slice key = odd_key(parser, start);
    if (key.length == 0) {
        bool twice = parser_peek(parser) == '.';
        return parser_fail(parser, start, twice ? "a path is written whole, without \"..\"" : NULL,
                           "name expected");
    }
    struct slice hint =
        arena_printf(parser->arena, "an odd key is quoted: ['%.*s']", SLICE_ARGS(key));
    return parser_fail(parser, start, hint.data, "\"%.*s\" can't stand behind \".\"",
                       SLICE_ARGS(key));
}

/* Parses the text after a ".". */
static enum outcome parse_dot(struct parser *parser, bool wildcards, struct path_step *step)
{
    size_t start = parser->at;
    if (parser_peek(parser) == '*') {
        step->kind = PATH_ALL_MEMBERS;
        parser->at++;
        return wildcards
                   ? OUTCOME_OK
                   : parser_fail(parser, start, wildcard_hint, "a path names one value: \"*\"");
    }
    step->name = parser_name(parser);
    /* Without this check "my-key" would be read as "my", and the rest as a strange operator. */
    if (step->name.length == 0 || !parser_ends_name(parser)) {
        return fail_odd_key(parser, start);
    }
    return OUTCOME_OK;
}

/* One character or escape of a quoted name into `out`; how many bytes, 0 when it is neither. */
static size_t take_character(struct parser *parser, char quote, char out[4])
{
    assert(parser->at < parser->text.length);
    struct slice rest =
        slice_make(parser->text.data + parser->at, parser->text.length - parser->at);
    size_t length = 1;
    out[0] = rest.data[0];
    if (rest.data[0] == '\\' && rest.data[1] == quote) {
        out[0] = quote;
        parser->at += 2;
        return 1;
    }
    if (rest.data[0] == '\\') {
        /* JSON's escapes, but for \" within '…' (RFC 9535, section 2.3.1.1). */
        length = rest.data[1] == '"' ? 0 : json_unescape(&rest, out);
        parser->at = (size_t) (rest.data - parser->text.data);
        return length;
    }
    parser->at++;
    return (unsigned char) out[0] < 0x20 ? 0 : 1;
}

/* 'name' or "name" as RFC 9535 writes it; the parser stands at the quote. */
static enum outcome parse_quoted_name(struct parser *parser, struct slice *name)
{
    size_t start = parser->at;
    char quote = parser->text.data[parser->at++];
    char *out = arena_alloc(parser->arena, parser->text.length - start);
    size_t length = 0;
    while (!parser_at_end(parser) && parser_peek(parser) != quote) {
        size_t at = parser->at;
        char character[4];
        size_t bytes = take_character(parser, quote, character);
        if (bytes == 0) {
            return parser_fail(parser, at, "JSON's escapes, and \\' within '…'",
                               "unknown escape or control character");
        }
        memcpy(out + length, character, bytes);
        length += bytes;
    }
    if (parser_at_end(parser)) {
        return parser_fail(parser, start, NULL, "quote without an end");
    }
    parser->at++;
    assert(length <= parser->text.length - start);
    *name = slice_make(out, length);
    return OUTCOME_OK;
}

/* Parses an index by RFC 9535, section 2.3.3.1: no "-0", no leading zeros, and within the integers
 * that a double holds exactly. */
static enum outcome parse_index(struct parser *parser, int64_t *index)
{
    const int64_t index_max = (INT64_C(1) << 53) - 1;
    size_t start = parser->at;
    bool negative = parser_peek(parser) == '-';
    int64_t number = 0;
    size_t digits = parser->at += negative;
    while (ascii_is_digit(parser_peek(parser)) && number <= index_max) {
        number = number * 10 + (parser->text.data[parser->at++] - '0');
    }
    size_t count = parser->at - digits;
    bool zero_first = count > 0 && parser->text.data[digits] == '0' && (count > 1 || negative);
    if (count == 0 || zero_first || number > index_max) {
        return parser_fail(parser, start,
                           parser->text.data[start] == '?' ? "where chooses elements"
                                                           : "['name'], [0], [-1] for the last",
                           "name or index expected");
    }
    assert(number >= 0 && number <= index_max);
    *index = negative ? -number : number;
    return OUTCOME_OK;
}

/* Parses the text after a "[". */
static enum outcome parse_bracket(struct parser *parser, bool wildcards, struct path_step *step)
{
    enum outcome outcome = OUTCOME_OK;
    parser_skip_space(parser);
    char c = parser_peek(parser);
    if (c == '*') {
        step->kind = PATH_ALL_ELEMENTS;
        if (!wildcards) {
            return parser_fail(parser, parser->at, wildcard_hint, "a path names one value: \"*\"");
        }
        parser->at++;
    } else if (c == '\'' || c == '"') {
        outcome = parse_quoted_name(parser, &step->name);
    } else {
        step->kind = PATH_ELEMENT;
        outcome = parse_index(parser, &step->index);
    }
    if (outcome == OUTCOME_OK && !parser_take(parser, "]")) {
        outcome = parser_fail(parser, parser->at,
                              parser_peek(parser) == ':' ? "[0] is one element, [*] of rows are all"
                                                         : NULL,
                              "\"]\" expected");
    }
    return outcome;
}

enum outcome path_parse(struct parser *parser, bool wildcards, struct path_step **steps)
{
    struct path_step **link = steps;
    enum outcome outcome = OUTCOME_OK;
    *steps = NULL;
    while (outcome == OUTCOME_OK) {
        size_t start = parser->at;
        bool dot = parser_take(parser, ".");
        if (!dot && !parser_take(parser, "[")) {
            parser->at = start;
            break;
        }
        struct path_step *step = arena_alloc(parser->arena, sizeof(*step));
        *step = (struct path_step){.kind = PATH_MEMBER};
        outcome = dot ? parse_dot(parser, wildcards, step) : parse_bracket(parser, wildcards, step);
        step->length = parser->at;
        assert(step->length > start);
        *link = step;
        link = &step->next;
    }
    return outcome;
}

/* Can the name stand behind "."? Only ASCII letters, digits and "_", not beginning with a digit,
 * are understood by every JSONPath parser. */
static bool is_plain(struct slice name)
{
    bool plain = name.length > 0 && !ascii_is_digit(name.data[0]);

    for (size_t i = 0; i < name.length; i++) {
        plain &=
            ascii_is_digit(name.data[i]) || ascii_is_letter(name.data[i]) || name.data[i] == '_';
    }
    return plain;
}

void path_append_member(struct buf *out, struct slice name)
{
    if (is_plain(name)) {
        buf_append_byte(out, '.');
        buf_append_slice(out, name);
        return;
    }
    buf_append_text(out, "['");
    for (size_t i = 0; i < name.length; i++) {
        unsigned char c = (unsigned char) name.data[i];

        if (c == '\'' || c == '\\') {
            buf_append_byte(out, '\\');
            buf_append_byte(out, c);
        } else if (c < 0x20) {
            buf_printf(out, "\\u%04x", c);
        } else {
            buf_append_byte(out, c);
        }
    }
    buf_append_text(out, "']");
}
