/* SPDX-License-Identifier: MIT */
#include "map/expression.h"

#include "base/text.h"
#include "core/table_shape.h"
#include "map/expression_parser.h"
#include "map/filters.h"
#include "map/path.h"
#include "map/sources.h"

enum source_kind {
    SOURCE_HERE,    /* $ and its steps */
    SOURCE_PAYLOAD, /* $$ and its steps */
    SOURCE_CAPTURE, /* {name} */
    SOURCE_FACT,    /* @name */
    SOURCE_CONSTANT,
};

struct filter_use {
    const struct filter *filter;
    struct value argument;
    struct filter_use *next;
};

struct expression {
    /* Everything here lives in it, the expression too; NULL within a condition, which has one. */
    struct arena *arena;
    enum source_kind source;
    struct path_step *path;
    size_t capture; /* index */
    const struct fact *fact;
    struct slice name;     /* of the capture, or of fact->named */
    struct value constant; /* with the filters applied */
    struct filter_use *filters;
    const char *declared_type; /* NULL: none */
    const char *inferred_type;
    bool is_payload; /* "$" alone, whatever stands behind it */
};

/* --- sources ---------------------------------------------------------------------------------- */

/* Behind the "{". */
static enum outcome parse_capture(struct parser *parser, struct expression *expression)
{
    const struct scope *scope = parser->scope;
    size_t start = parser->at - 1;
    struct slice name = parser_name(parser);
    if (name.length == 0 || parser_peek(parser) != '}') {
        return parser_fail(parser, start, "a capture is written {name}", "incomplete capture");
    }
    parser->at++;
    for (size_t i = 0; i < scope->capture_count; i++) {
        if (slice_is(name, scope->captures[i])) {
            expression->source = SOURCE_CAPTURE;
            expression->capture = i;
            expression->name = name;
            expression->inferred_type = "text";
            return OUTCOME_OK;
        }
    }
    return parser_fail(parser, start, parser_capture_hint(parser, name), "unknown capture {%.*s}",
                       SLICE_ARGS(name));
}

/* ".NAME" or ".'odd name'" behind "@property". */
static enum outcome parse_fact_name(struct parser *parser, struct slice *name)
{
    size_t start = parser->at;
    if (parser_peek(parser) == '.') {
        parser->at++;
        if (parser_peek(parser) == '\'') {
            return parser_quoted(parser, name);
        }
        *name = parser_name(parser);
        /* "@property.my-key" would else be "my" and something that can't be understood. */
        char next = parser_peek(parser);
        if (name->length > 0 && strchr(" \t\r\n|:=!<>", next) != NULL) {
            return OUTCOME_OK;
        }
    }
    return parser_fail(parser, start, "an odd one is quoted: @property.'odd name'",
                       "name of a property expected");
}

/* Behind the "@". */
static enum outcome parse_fact(struct parser *parser, struct expression *expression)
{
    size_t start = parser->at - 1;
    struct slice name = parser_name(parser);
    const struct fact *fact = fact_find(name);
    if (fact == NULL) {
        return parser_fail(parser, start, parser_fact_hint(parser, name), "unknown @%.*s",
                           SLICE_ARGS(name));
    }
    if (fact->place == FACT_IN_ROWS && !parser->scope->in_rows) {
        return parser_fail(parser, start, "only a rule with rows has it", "no @%s here",
                           fact->name);
    }
    if (fact->place == FACT_IN_ACK && !parser->scope->in_ack) {
        return parser_fail(parser, start, "only acks have it", "no @%s here", fact->name);
    }
    expression->source = SOURCE_FACT;
    expression->fact = fact;
    expression->inferred_type = fact->type;
    return fact->named ? parse_fact_name(parser, &expression->name) : OUTCOME_OK;
}

static enum outcome parse_path(struct parser *parser, struct expression *expression)
{
    expression->source = SOURCE_HERE;
    if (parser_peek(parser) == '$') {
        parser->at++;
        expression->source = SOURCE_PAYLOAD;
    }
    if (path_parse(parser, false, &expression->path) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    expression->is_payload = expression->path == NULL;
    expression->inferred_type = expression->is_payload ? "jsonb" : "text";
    return OUTCOME_OK;
}

static enum outcome parse_constant(struct parser *parser, struct expression *expression)
{
    size_t start = parser->at;
    if (strchr("'+-.0123456789", parser_peek(parser)) == NULL) {
        struct slice word = parser_name(parser);
        bool known = slice_is(word, "true") || slice_is(word, "false") || slice_is(word, "null");
        if (!known) {
            return parser_fail_word(parser, start, word);
        }
        parser->at = start;
    }
    expression->source = SOURCE_CONSTANT;
    if (parser_constant(parser, &expression->constant) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    enum value_kind kind = expression->constant.kind;
    expression->inferred_type = kind == VALUE_NUMBER    ? "numeric"
                                : kind == VALUE_BOOLEAN ? "boolean"
                                                        : "text";
    return OUTCOME_OK;
}

static enum outcome parse_source(struct parser *parser, struct expression *expression)
{
    parser_skip_space(parser);
    switch (parser_peek(parser)) {
    case '$':
        parser->at++;
        return parse_path(parser, expression);
    case '{':
        parser->at++;
        return parse_capture(parser, expression);
    case '@':
        parser->at++;
        return parse_fact(parser, expression);
    case '\0':
        return parser_fail(parser, parser->at, "$.name, {name}, @name, 'text' or a number",
                           "a source expected");
    default:
        return parse_constant(parser, expression);
    }
}

/* --- filters ---------------------------------------------------------------------------------- */

/* … of three digits. */
static bool is_integer(struct slice number)
{
    size_t sign = number.data[0] == '-';
    for (size_t i = sign; i < number.length; i++) {
        if (number.data[i] < '0' || number.data[i] > '9') {
            return false;
        }
    }
    return number.length - sign <= 3;
}

static enum outcome parse_argument(struct parser *parser, struct filter_use *use)
{
    if (use->filter->argument == FILTER_NO_ARGUMENT) {
        return OUTCOME_OK;
    }
    parser_skip_space(parser);
    size_t start = parser->at;
    if (parser_constant(parser, &use->argument) != OUTCOME_OK) {
        error_prefix(parser->error, "filter \"%s\"", use->filter->name);
        return OUTCOME_REJECT;
    }
    bool number = use->argument.kind == VALUE_NUMBER;
    if (use->filter->argument == FILTER_NUMBER && !number) {
        return parser_fail(parser, start, NULL, "filter \"%s\" takes a number", use->filter->name);
    }
    if (use->filter->argument == FILTER_INTEGER && !(number && is_integer(use->argument.text))) {
        return parser_fail(parser, start, NULL, "filter \"%s\" takes an integer below 1000",
                           use->filter->name);
    }
    return OUTCOME_OK;
}

/* Behind the "|". */
static enum outcome parse_filter(struct parser *parser, struct expression *expression,
                                 struct filter_use *use)
{
    parser_skip_space(parser);
    size_t start = parser->at;
    struct slice name = parser_name(parser);
    if (name.length == 0) {
        return parser_fail(parser, start, NULL, "name of a filter expected");
    }
    use->filter = filter_find(name);
    if (use->filter == NULL) {
        return parser_fail(
            parser, start,
            parser_suggest(parser, name, &filters[0].name, filter_count, sizeof(filters[0])),
            "unknown filter \"%.*s\"", SLICE_ARGS(name));
    }
    if (use->filter->type != NULL) {
        expression->inferred_type = use->filter->type;
        expression->is_payload = false;
    }
    return parse_argument(parser, use);
}

static enum outcome parse_filters(struct parser *parser, struct expression *expression)
{
    struct filter_use **link = &expression->filters;
    while (parser_take(parser, "|")) {
        struct filter_use *use = arena_alloc(parser->arena, sizeof(*use));
        *use = (struct filter_use){0};
        if (parse_filter(parser, expression, use) != OUTCOME_OK) {
            return OUTCOME_REJECT;
        }
        *link = use;
        link = &use->next;
    }
    return OUTCOME_OK;
}

/* --- type ------------------------------------------------------------------------------------- */

/* Where the type ends that begins here: at the end, or before an operator outside double quotes. */
static size_t type_end(struct parser *parser, bool operators)
{
    size_t start = parser->at;
    bool quoted = false;
    for (; !parser_at_end(parser); parser->at++) {
        char c = parser_peek(parser);
        quoted = quoted != (c == '"');
        if (operators && !quoted && strchr("=!<>", c) != NULL) {
            break;
        }
        if (operators && !quoted && c == ' ') {
            size_t at = parser->at;
            bool is = parser_take_word(parser, "is");
            parser->at = at;
            if (is) {
                break;
            }
        }
    }
    size_t end = parser->at;
    parser->at = start;
    return end;
}

/* Behind the "::". */
static enum outcome parse_type(struct parser *parser, bool operators, struct expression *expression)
{
    parser_skip_space(parser);
    size_t start = parser->at;
    size_t end = type_end(parser, operators);
    struct slice text = slice_make(parser->text.data + start, end - start);
    while (text.length > 0 && strchr(" \t\r\n", text.data[text.length - 1]) != NULL) {
        text.length--;
    }
    if (text.length > 0 && memchr(text.data, '|', text.length) != NULL) {
        return parser_fail(parser, start, "\"::\" and the type stand at the end",
                           "type before a filter");
    }
    struct table_shape *shape = table_shape_new();
    bool known = type_parse(text, table_shape_add(shape, (struct slice) SLICE_LITERAL("")));
    table_shape_free(shape);
    if (!known) {
        return parser_fail(parser, start, NULL, "\"%.*s\" is no type", SLICE_ARGS(text));
    }
    parser->at = end;
    expression->declared_type = arena_copy(parser->arena, text).data;
    return OUTCOME_OK;
}

/* --- compiling -------------------------------------------------------------------------------- */

static enum outcome apply_filters(const struct expression *expression, struct arena *arena,
                                  struct value *value, struct error *error)
{
    for (const struct filter_use *use = expression->filters; use != NULL; use = use->next) {
        if (value->kind == VALUE_NULL && !use->filter->takes_null) {
            continue;
        }
        if (use->filter->apply(value, &use->argument, arena, error) != OUTCOME_OK) {
            error_prefix(error, "%s", use->filter->name);
            return OUTCOME_REJECT;
        }
    }
    return OUTCOME_OK;
}

/* What can be known now is done now: a filter that fails on a constant is a mistake of the
 * configuration. */
static enum outcome fold_constant(struct parser *parser, struct expression *expression)
{
    if (expression->source != SOURCE_CONSTANT) {
        return OUTCOME_OK;
    }
    if (apply_filters(expression, parser->arena, &expression->constant, parser->error) !=
        OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    expression->filters = NULL;
    return OUTCOME_OK;
}

enum outcome expression_parse(struct parser *parser, bool operators, struct expression **expression)
{
    struct expression *made = arena_alloc(parser->arena, sizeof(*made));
    *made = (struct expression){.inferred_type = "text"};
    *expression = made;
    if (parse_source(parser, made) != OUTCOME_OK || parse_filters(parser, made) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    if (parser_take(parser, "::") && parse_type(parser, operators, made) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    parser_skip_space(parser);
    return fold_constant(parser, made);
}

/* What people write who know another language. */
static const char *hint_behind(const struct parser *parser, const struct expression *expression)
{
    if (expression_uses_payload(expression) && expression->path == NULL &&
        parser->at < parser->text.length &&
        strchr(" \t", parser->text.data[parser->at - 1]) == NULL) {
        return "a member of the payload is written $.name";
    }
    return parser_foreign_hint(parser);
}

enum outcome expression_compile(struct slice text, const struct scope *scope,
                                struct expression **expression, struct error *error)
{
    struct parser parser;
    if (parser_init(&parser, text, scope, error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    struct expression *made;
    enum outcome outcome = expression_parse(&parser, false, &made);
    if (outcome == OUTCOME_OK && !parser_at_end(&parser)) {
        outcome = parser_fail(&parser, parser.at, hint_behind(&parser, made),
                              "\"|\", \"::\" or the end expected");
    }
    if (outcome != OUTCOME_OK) {
        arena_free(parser.arena);
        return outcome;
    }
    made->arena = parser.arena;
    *expression = made;
    return OUTCOME_OK;
}

void expression_free(struct expression *expression)
{
    if (expression != NULL) {
        arena_free(expression->arena);
    }
}

/* --- evaluating ------------------------------------------------------------------------------- */

/* Topics and properties come from outside, and a broker need not have looked at their bytes. */
static enum outcome check_text(const struct value *value, const char *before, struct slice name,
                               struct error *error)
{
    if (value->kind == VALUE_TEXT && !text_is_utf8(value->text)) {
        return error_set(error, OUTCOME_REJECT, "%s%.*s is not UTF-8", before, SLICE_ARGS(name));
    }
    return OUTCOME_OK;
}

static enum outcome take_capture(const struct expression *expression, const struct subject *subject,
                                 struct value *value, struct error *error)
{
    struct slice capture = subject->captures[expression->capture];
    *value = capture.data == NULL ? value_null() : value_text(capture);
    return check_text(value, "capture ", expression->name, error);
}

static enum outcome take_fact(const struct expression *expression, const struct subject *subject,
                              struct arena *arena, struct value *value, struct error *error)
{
    const struct fact *fact = expression->fact;
    *value = fact->get(subject, expression->name, arena);
    return fact->place == FACT_IN_ACK ? OUTCOME_OK
                                      : check_text(value, "@", slice_of(fact->name), error);
}

static enum outcome take_source(const struct expression *expression, const struct subject *subject,
                                struct arena *arena, struct value *value, struct error *error)
{
    switch (expression->source) {
    case SOURCE_HERE:
        *value = node_value(path_walk(expression->path, subject->here));
        break;
    case SOURCE_PAYLOAD:
        *value = node_value(path_walk(expression->path, subject->payload));
        break;
    case SOURCE_CAPTURE:
        return take_capture(expression, subject, value, error);
    case SOURCE_FACT:
        return take_fact(expression, subject, arena, value, error);
    case SOURCE_CONSTANT:
        *value = expression->constant;
        break;
    }
    return OUTCOME_OK;
}

enum outcome expression_evaluate(const struct expression *expression, const struct subject *subject,
                                 struct arena *arena, struct value *value, struct error *error)
{
    enum outcome outcome = take_source(expression, subject, arena, value, error);
    if (outcome == OUTCOME_OK && expression->filters != NULL) {
        outcome = apply_filters(expression, arena, value, error);
    }
    return outcome;
}

/* --- asking ----------------------------------------------------------------------------------- */

bool expression_uses_payload(const struct expression *expression)
{
    return expression->source == SOURCE_HERE || expression->source == SOURCE_PAYLOAD;
}

const char *expression_declared_type(const struct expression *expression)
{
    return expression->declared_type;
}

bool expression_is_payload(const struct expression *expression)
{
    return expression->is_payload;
}

const char *expression_inferred_type(const struct expression *expression)
{
    return expression->inferred_type;
}

bool expression_is_constant(const struct expression *expression, struct value *value)
{
    if (expression->source != SOURCE_CONSTANT) {
        return false;
    }
    if (value != NULL) {
        *value = expression->constant;
    }
    return true;
}

const char *expression_fact_name(const struct expression *expression)
{
    return expression->source == SOURCE_FACT ? expression->fact->name : NULL;
}

bool expression_is_member(const struct expression *expression)
{
    return expression_uses_payload(expression) && expression->path != NULL;
}

bool expression_varies_by_row(const struct expression *expression)
{
    return expression->source == SOURCE_HERE ||
           (expression->source == SOURCE_FACT && expression->fact->place == FACT_IN_ROWS);
}

bool expression_is_bare_capture(const struct expression *expression)
{
    return expression->source == SOURCE_CAPTURE && expression->filters == NULL &&
           expression->declared_type == NULL;
}
