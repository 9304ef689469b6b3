/*
 * condition_parser: reads conditions. "or" binds weakest, then "and", then "not".
 *
 *   condition   chain of "or"
 *   or          and { "or" and }
 *   and         part { "and" part }
 *   part        { "not" } ( "(" condition ")" | leaf )
 *   leaf        expression ( OP constant | [not] in ( … ) | [not] like '…' | ~ '…' |
 *                            is [not] null )
 *
 * The constant must stand on the right. This makes conditions comparable with each other, so that
 * `check` can warn of two that never hold together.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "map/condition_term.h"
#include "map/expression_parser.h"
#include "map/hints.h"

enum { NESTING_MAX = 50, CONSTANTS_FIRST = 8 };

/* An operator, or its spelling in another language. */
struct comparison {
    const char *text;
    unsigned holds_for;  /* relations; 0: no operator */
    const char *instead; /* hint for what other languages write */
};

/* The longer ones first. */
static const struct comparison comparisons[] = {
    {"==", 0, "equality is written ="},
    {"<>", 0, "inequality is written !="},
    {"=>", 0, "it is written >="},
    {"=<", 0, "it is written <="},
    {"&&", 0, "it is written and"},
    {"||", 0, "it is written or"},
    {"!=", RELATION_LESS | RELATION_GREATER | RELATION_UNEQUAL, NULL},
    {"<=", RELATION_LESS | RELATION_EQUAL, NULL},
    {">=", RELATION_GREATER | RELATION_EQUAL, NULL},
    {"=", RELATION_EQUAL, NULL},
    {"<", RELATION_LESS, NULL},
    {">", RELATION_GREATER, NULL},
};

/* --- one comparison --------------------------------------------------------------------------- */

/* A term in the parser's arena, without parts. */
static struct term *term_new(struct parser *parser, enum term_kind kind)
{
    struct term *term = arena_alloc(parser->arena, sizeof(*term));
    *term = (struct term){.kind = kind};
    return term;
}

/* `term` itself, or with `around` its opposite. */
static struct term *turned(struct parser *parser, struct term *term, bool around)
{
    assert(term != NULL);
    struct term *not_it = around ? term_new(parser, TERM_NOT) : term;
    if (around) {
        not_it->parts = term;
    }
    return not_it;
}

/* Parses the text after "is". */
static enum outcome parse_is(struct parser *parser, struct term *term, bool *around)
{
    term->kind = TERM_NULL;
    *around = parser_take_word(parser, "not");
    if (!parser_take_word(parser, "null")) {
        return parser_fail(parser, parser->at, NULL, "\"is null\" or \"is not null\" expected");
    }
    return OUTCOME_OK;
}

/* Do values of this inferred type compare as times? A constant beside them has to name one. */
static bool is_time_type(const char *type)
{
    return slice_is(slice_of(type), "timestamptz");
}

/* A constant that the term's expression may be compared with. */
static enum outcome parse_constant(struct parser *parser, const struct term *term,
                                   struct constant *constant)
{
    struct value value;
    parser_skip_space(parser);
    size_t start = parser->at;
    const char *hint = hint_right_side(parser, expression_is_constant(term->expression, NULL));
    if (hint != NULL) {
        return parser_fail(parser, start, hint, "constant expected");
    }
    if (parser_constant(parser, &value) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    if (value.kind == VALUE_NULL) {
        return parser_fail(parser, start, "write is null or is not null",
                           "nothing compares with null");
    }
    *constant = constant_make(value);
    if (is_time_type(expression_inferred_type(term->expression)) && term->family == TYPE_NONE &&
        !constant->is_time) {
        return parser_fail(parser, start, "RFC 3339: '2026-11-23T03:29:30Z'",
                           "a timestamp compares with a time");
    }
    return OUTCOME_OK;
}

/* One of the operators, and the constant behind it. */
static enum outcome parse_comparison(struct parser *parser, struct term *term)
{
    for (size_t i = 0; i < sizeof(comparisons) / sizeof(comparisons[0]); i++) {
        size_t start = parser->at;
        if (!parser_take(parser, comparisons[i].text)) {
            continue;
        }
        if (comparisons[i].holds_for == 0) {
            return parser_fail(parser, start, comparisons[i].instead, "unknown operator \"%s\"",
                               comparisons[i].text);
        }
        term->kind = TERM_COMPARE;
        term->holds_for = comparisons[i].holds_for;
        term->constants = arena_alloc(parser->arena, sizeof(struct constant));
        term->count = 1;
        return parse_constant(parser, term, term->constants);
    }
    return parser_fail(parser, parser->at, hint_operator(parser), "an operator expected");
}

/* Parses the text after "in". */
static enum outcome parse_in(struct parser *parser, struct term *term)
{
    size_t capacity = 0;
    term->kind = TERM_IN;
    if (!parser_take(parser, "(")) {
        return parser_fail(parser, parser->at, "in ('a', 'b')", "\"(\" expected");
    }
    do {
        if (term->count == capacity) {
            capacity = capacity > 0 ? capacity * 2 : CONSTANTS_FIRST;
            struct constant *more = arena_alloc(parser->arena, capacity * sizeof(*more));
            if (term->count > 0) {
                memcpy(more, term->constants, term->count * sizeof(*more));
            }
            term->constants = more;
        }
        if (parse_constant(parser, term, &term->constants[term->count]) != OUTCOME_OK) {
            return OUTCOME_REJECT;
        }
        term->count++;
    } while (parser_take(parser, ","));
    return parser_take(parser, ")")
               ? OUTCOME_OK
               : parser_fail(parser, parser->at, NULL, "\",\" or \")\" expected");
}

/* The quoted text behind "like" or "~". */
static enum outcome parse_pattern(struct parser *parser, const char *what, struct slice *pattern)
{
    parser_skip_space(parser);
    if (parser_peek(parser) != '\'') {
        return parser_fail(parser, parser->at,
                           parser_peek(parser) == '*' ? "whatever the case: ~ '(?i)…'"
                                                      : "in single quotes",
                           "%s expected", what);
    }
    return parser_quoted(parser, pattern);
}

/* Parses the text after "like". */
static enum outcome parse_like(struct parser *parser, struct term *term)
{
    term->kind = TERM_LIKE;
    if (parse_pattern(parser, "a pattern", &term->pattern) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    size_t backslashes = 0;
    while (backslashes < term->pattern.length &&
           term->pattern.data[term->pattern.length - 1 - backslashes] == '\\') {
        backslashes++;
    }
    return backslashes % 2 == 0
               ? OUTCOME_OK
               : parser_fail(parser, parser->at - 1, "a backslash itself is written twice",
                             "a pattern ends behind \"\\\"");
}

/* Parses the text after "~" and "!~". */
static enum outcome parse_regex(struct parser *parser, struct term *term)
{
    struct slice pattern = {0};
    struct error error;
    term->kind = TERM_REGEX;
    parser_skip_space(parser);
    size_t start = parser->at;
    if (parse_pattern(parser, "a regular expression", &pattern) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    size_t at = 0;
    if (regex_compile(pattern, parser->arena, &term->regex, &at, &error) != OUTCOME_OK) {
        return parser_fail(parser, parser_quoted_at(parser, start, at), NULL, "%s", error.text);
    }
    return OUTCOME_OK;
}

/* Parses the text after the expression. *around: the person wrote "not" or "!~", so the
 * condition is the opposite of the term. */
static enum outcome parse_operator(struct parser *parser, struct term *term, bool *around)
{
    if (parser_take_word(parser, "is")) {
        return parse_is(parser, term, around);
    }
    *around = parser_take(parser, "!~");
    if (*around || parser_take(parser, "~")) {
        return parse_regex(parser, term);
    }
    *around = parser_take_word(parser, "not");
    if (parser_take_word(parser, "in")) {
        return parse_in(parser, term);
    }
    if (parser_take_word(parser, "like")) {
        return parse_like(parser, term);
    }
    return *around ? parser_fail(parser, parser->at, NULL, "\"in\" or \"like\" expected")
                   : parse_comparison(parser, term);
}

/* The family of the "::type" behind an expression: NONE without one, OTHER for arrays, whose
 * values compare as they are. */
static enum type_family declared_family(const struct expression *expression)
{
    enum type_family family = TYPE_NONE;
    struct table_shape *shape = table_shape_new();
    struct column_shape *column = table_shape_add(shape, (struct slice) SLICE_LITERAL(""));
    const char *type = expression_declared_type(expression);
    if (type != NULL && type_parse(slice_of(type), column)) {
        family = column->array ? TYPE_OTHER : column->family;
    }
    table_shape_free(shape);
    return family;
}

/* What was read since `start`. It lives in the parser's arena, which becomes the condition's. */
static struct slice text_before(const struct parser *parser, size_t start)
{
    size_t end = parser->at;
    while (start < end && strchr(" \t\r\n", parser->text.data[start]) != NULL) {
        start++;
    }
    while (end > start && strchr(" \t\r\n", parser->text.data[end - 1]) != NULL) {
        end--;
    }
    return slice_make(parser->text.data + start, end - start);
}

/* Parses one expression and its comparison. */
static enum outcome parse_leaf(struct parser *parser, struct term **term)
{
    struct term *leaf = term_new(parser, TERM_COMPARE);
    bool around = false;
    size_t start = parser->at;
    enum outcome outcome = expression_parse(parser, true, &leaf->expression);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    leaf->source = text_before(parser, start);
    assert(leaf->expression != NULL);
    leaf->family = declared_family(leaf->expression);
    outcome = parse_operator(parser, leaf, &around);
    *term = turned(parser, leaf, around);
    return outcome;
}

/* --- together --------------------------------------------------------------------------------- */

static enum outcome parse_chain(struct parser *parser, enum term_kind kind, int nesting,
                                struct term **term);

/* not … | ( … ) | a comparison */
static enum outcome parse_part(struct parser *parser, int nesting, struct term **term)
{
    bool around = false;
    while (parser_take_word(parser, "not")) {
        around = !around;
    }
    parser_skip_space(parser);
    size_t start = parser->at;
    enum outcome outcome;
    if (parser_take(parser, "(")) {
        if (nesting == NESTING_MAX) {
            return parser_fail(parser, start, NULL, "more than %d parentheses in each other",
                               NESTING_MAX);
        }
        outcome = parse_chain(parser, TERM_OR, nesting + 1, term);
        if (outcome == OUTCOME_OK && !parser_take(parser, ")")) {
            outcome = parser_fail(parser, parser->at, NULL, "\"and\", \"or\" or \")\" expected");
        }
    } else {
        outcome = parse_leaf(parser, term);
    }
    *term = outcome == OUTCOME_OK ? turned(parser, *term, around) : NULL;
    return outcome;
}

/* Parts with "or" between them, each of which may be parts with "and" between them. */
static enum outcome parse_chain(struct parser *parser, enum term_kind kind, int nesting,
                                struct term **term)
{
    const char *word = kind == TERM_OR ? "or" : "and";
    struct term *first = NULL;
    struct term **link = &first;
    size_t count = 0;
    assert(nesting <= NESTING_MAX);
    do {
        enum outcome outcome = kind == TERM_OR ? parse_chain(parser, TERM_AND, nesting, link)
                                               : parse_part(parser, nesting, link);
        if (outcome != OUTCOME_OK) {
            return outcome;
        }
        link = &(*link)->next;
        count++;
    } while (parser_take_word(parser, word));
    *term = first;
    if (count > 1) {
        *term = term_new(parser, kind);
        (*term)->parts = first;
    }
    return OUTCOME_OK;
}

enum outcome term_parse(struct parser *parser, struct term **term)
{
    enum outcome outcome = parse_chain(parser, TERM_OR, 0, term);
    assert(outcome != OUTCOME_OK || *term != NULL);
    parser_skip_space(parser);
    if (outcome == OUTCOME_OK && !parser_at_end(parser)) {
        outcome = parser_fail(parser, parser->at, hint_behind_condition(parser),
                              "\"and\", \"or\" or the end expected");
    }
    return outcome;
}
