/*
 * Authors of rules know SQL, jq, Jinja or a broker's rule language, and use its spelling. The
 * tables below name ours. A hint is given only when it is clear what was meant; otherwise the
 * message names what was expected.
 *
 * How a mistake reads: WHAT at character N (HINT)
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/hints.h"

#include <strings.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "base/text.h"
#include "map/facts.h"
#include "map/local_zone.h"

static const char arithmetic[] =
    "arithmetic is | scale 0.1, | offset -40; compute has all of SQL's";
static const char case_blind[] = "whatever the case: ~ '(?i)…'";

/* The rest of the text, up to a NUL. */
static const char *rest_of(const struct parser *parser)
{
    return parser->text.data + parser->at;
}

/* One of "+-*", "/" and "%", which are SQL's. */
static bool is_arithmetic(char c)
{
    return c != '\0' && strchr("+-*/%", c) != NULL;
}

static const char *skip_spaces(const char *text)
{
    while (ascii_is_space(*text)) {
        text++;
    }
    return text;
}

/* --- another language ------------------------------------------------------------------------- */

const char *hint_behind_expression(const struct parser *parser)
{
    char next = parser_peek(parser);
    struct parser ahead = *parser;
    if (next == ':' || parser_take_word(&ahead, "as")) {
        return "a type stands behind ::";
    }
    size_t at = parser->at;
    while (at > 0 && ascii_is_space(parser->text.data[at - 1])) {
        at--;
    }
    bool behind_capture = at > 0 && parser->text.data[at - 1] == '}';
    bool joins = is_arithmetic(next) && *skip_spaces(rest_of(parser) + 1) == '{';
    if (next == '{' || (behind_capture && joins)) {
        return "captures are joined by | concat '/' {name}";
    }
    if (next == '$' || next == '@' || next == '\'') {
        return "texts are joined by | concat ' ' $.other; a path behind json by | json | $.name";
    }
    return is_arithmetic(next) ? arithmetic : NULL;
}

const char *hint_behind_condition(const struct parser *parser)
{
    const char *rest = rest_of(parser);
    return strncmp(rest, "&&", 2) == 0   ? "it is written and"
           : strncmp(rest, "||", 2) == 0 ? "it is written or"
           : *rest == ','                ? "several conditions are a list, or parted by and"
                                         : NULL;
}

const char *hint_operator(const struct parser *parser)
{
    static const struct {
        const char *word, *hint;
    } words[] = {
        {"and", "a condition is whole with an operator: $.a = true"},
        {"or", "a condition is whole with an operator: $.a = true"},
        {"between", "it is written >= A and … <= B"},
        {"contains", "it is written like '%…%'"},
        {"ilike", case_blind},
        {"isnull", "it is written is null"},
        {"matches", "it is written ~ 'REGEX'"},
        {"notnull", "it is written is not null"},
        {"regexp", "it is written ~ 'REGEX'"},
        {"rlike", "it is written ~ 'REGEX'"},
    };
    struct parser ahead = *parser;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (parser_take_word(&ahead, words[i].word)) {
            return words[i].hint;
        }
    }
    char next = parser_peek(parser);
    bool behind_dollar = parser->at > 0 && parser->text.data[parser->at - 1] == '$';
    if (behind_dollar && parser_name(&ahead).length > 0) {
        return "a member of the payload is written $.name";
    }
    return is_arithmetic(next) ? arithmetic : "= != < <= > >=, in, like, ~, is null, is not null";
}

const char *hint_right_side(const struct parser *parser, bool constant_left)
{
    char next = parser_peek(parser);
    if (next == '"') {
        return "text stands in single quotes";
    }
    if (next != '$' && next != '{' && next != '@') {
        return NULL;
    }
    return constant_left
               ? "the constant stands on the right"
               : "two values compare in SQL: sql = \"insert … select … from batch where a = b\"";
}

const char *hint_source_word(struct parser *parser, struct slice word)
{
    if (slice_is(word, "now") || slice_is(word, "current_timestamp")) {
        return "@received_at is when the message came";
    }
    if (slice_is(word, "coalesce")) {
        return "$.name | default X";
    }
    if (slice_is(word, "exists")) {
        return "$.name is not null";
    }
    if (word.length > 0 && parser_peek(parser) == '(') {
        return "a filter stands behind |, a function of SQL in compute";
    }
    if (word.length == 0) {
        return "$.name, {name}, @name, 'text' or a number";
    }
    if (parser_peek(parser) == '.') {
        return "a member of the payload is written $.name";
    }
    if (fact_find(word) != NULL) {
        return arena_printf(parser->arena, "@%.*s, $.%.*s of the payload, or '%.*s' as text",
                            SLICE_ARGS(word), SLICE_ARGS(word), SLICE_ARGS(word))
            .data;
    }
    return arena_printf(parser->arena,
                        "$.%.*s of the payload, {%.*s} of the topic, or '%.*s' as text",
                        SLICE_ARGS(word), SLICE_ARGS(word), SLICE_ARGS(word))
        .data;
}

/* --- names ------------------------------------------------------------------------------------ */

const char *hint_capture(struct parser *parser, struct slice name)
{
    const struct scope *scope = parser->scope;
    if (fact_find(name) != NULL) {
        return arena_printf(parser->arena, "@%.*s?", SLICE_ARGS(name)).data;
    }
    if (scope->capture_count == 0) {
        return "the topic has no {name}";
    }
    const char *near = parser_suggest(parser, name, scope->captures, scope->capture_count,
                                      sizeof(scope->captures[0]));
    return near != NULL ? near
                        : arena_printf(parser->arena, "the topic has {%s}%s", scope->captures[0],
                                       scope->capture_count > 1 ? ", …" : "")
                              .data;
}

const char *hint_fact(struct parser *parser, struct slice name)
{
    const struct scope *scope = parser->scope;
    for (size_t i = 0; i < scope->capture_count; i++) {
        if (slice_is(name, scope->captures[i])) {
            return arena_printf(parser->arena, "a level of the topic is written {%s}",
                                scope->captures[i])
                .data;
        }
    }
    const char *near = parser_suggest(parser, name, &facts[0].name, fact_count, sizeof(facts[0]));
    return near != NULL ? near
                        : "there are @topic, @payload, @received_at, @qos, @property.NAME, …";
}

/* "Berlin" of "Europe/Berlin". */
static struct slice last_part(struct slice name)
{
    for (size_t i = name.length; i > 0; i--) {
        if (name.data[i - 1] == '/') {
            return slice_make(name.data + i, name.length - i);
        }
    }
    return name;
}

const char *hint_zone(struct parser *parser, struct slice name)
{
    struct zone_names names;
    const char *near = NULL;
    local_zone_names(parser->arena, &names);
    for (size_t i = 0; near == NULL && i < names.count; i++) {
        struct slice city = last_part(slice_of(names.list[i]));
        struct slice meant = last_part(name);
        if (city.length == meant.length && strncasecmp(city.data, meant.data, city.length) == 0) {
            near = names.list[i];
        }
    }
    if (near == NULL && names.count > 0) {
        near = text_suggest(name, names.list, names.count, sizeof(names.list[0]));
    }
    return near == NULL ? "like 'Europe/Berlin', from the system's tzdata"
                        : arena_printf(parser->arena, "did you mean '%s'?", near).data;
}
