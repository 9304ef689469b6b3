/*
 * An expression compiled is its source and a chain of filters, all in one arena:
 *
 *   $.ts | unix_ms | default @received_at :: timestamptz
 *   └ source  └ filter   └ filter, whose argument is another source   └ declared type
 *
 * Evaluating takes the source's value and passes it from filter to filter. An expression of
 * constants alone is evaluated when it is compiled, so its mistakes are found by `check`.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/expression.h"

#include <assert.h>
#include <string.h>

#include "core/table_shape.h"
#include "map/expression_parser.h"
#include "map/filter_family.h"
#include "map/hints.h"
#include "map/source.h"

/* One filter of an expression, with the arguments that it has there. */
struct filter_use {
    const struct filter *filter;
    struct filter_arguments arguments;
    struct filter_use *next;
};

struct expression {
    /* Everything here lives in it, the expression too; NULL within a condition, which has one. */
    struct arena *arena;
    struct source source; /* a constant has its filters applied */
    struct filter_use *filters;
    const char *declared_type; /* NULL: none */
    const char *inferred_type;
    bool is_payload; /* "$" alone, whatever stands behind it */
};

/* "| $.name" behind `json`. Not in the table, for its name is none. */
static const struct filter path_filter = {.name = "$", .syntax = "", .apply = filter_path};

/* --- filters ---------------------------------------------------------------------------------- */

/* "$" and its steps, where a filter's name could stand. */
static enum outcome parse_path_filter(struct parser *parser, struct filter_use *use)
{
    assert(parser_peek(parser) == '$');
    struct source *source = arena_alloc(parser->arena, sizeof(*source));
    *source = (struct source){.kind = SOURCE_HERE};
    parser->at++;
    use->filter = &path_filter;
    use->arguments = (struct filter_arguments){.sources = source};
    return path_parse(parser, false, &source->path);
}

/* Fails because there is no such filter. The hint names the nearest one, or some that exist. */
static enum outcome fail_unknown(struct parser *parser, size_t start, struct slice name)
{
    const char *meant =
        parser_suggest(parser, name, &filters[0].name, filter_count, sizeof(filters[0]));
    const char *hint =
        meant != NULL
            ? meant
            : "there are default, map, nullif, number, scale, time, zone, extract, split, "
              "…; compute or sql can do the rest";
    return parser_fail(parser, start, hint, "unknown filter \"%.*s\"", SLICE_ARGS(name));
}

/* Parses the text after a "|"; `before` is the filter in front of it, NULL: none. */
static enum outcome parse_filter(struct parser *parser, struct expression *expression,
                                 const struct filter *before, struct filter_use *use)
{
    parser_skip_space(parser);
    size_t start = parser->at;
    if (parser_peek(parser) == '$') {
        bool document = before == NULL ? source_uses_payload(&expression->source)
                                       : before->type == NULL || strcmp(before->type, "jsonb") == 0;
        if (!document) {
            return parser_fail(parser, start, "| json | $.name reads a text that holds JSON",
                               "a path behind what is not a document");
        }
        expression->inferred_type = "text";
        expression->is_payload = false;
        return parse_path_filter(parser, use);
    }
    struct slice name = parser_name(parser);
    if (name.length == 0) {
        bool joins = parser_peek(parser) == '|';
        return parser_fail(parser, start, joins ? "texts are joined by | concat ' ' $.other" : NULL,
                           "name of a filter expected");
    }
    use->filter = filter_find(name);
    if (use->filter == NULL) {
        return fail_unknown(parser, start, name);
    }
    if (use->filter->type != NULL) {
        expression->inferred_type = use->filter->type;
        expression->is_payload = false;
    }
    return use->filter->parse(parser, use->filter, &use->arguments);
}

/* All filters, in the order in which they apply. */
static enum outcome parse_filters(struct parser *parser, struct expression *expression)
{
    assert(expression->filters == NULL);
    struct filter_use **link = &expression->filters;
    const struct filter *before = NULL;
    while (parser_take(parser, "|")) {
        struct filter_use *use = arena_alloc(parser->arena, sizeof(*use));
        *use = (struct filter_use){0};
        if (parse_filter(parser, expression, before, use) != OUTCOME_OK) {
            return OUTCOME_REJECT;
        }
        before = use->filter;
        *link = use;
        link = &use->next;
    }
    return OUTCOME_OK;
}

/* --- type ------------------------------------------------------------------------------------- */

/* Words that may follow a condition's expression. */
static bool at_operator_word(const struct parser *parser)
{
    static const char *const words[] = {"is", "in", "like", "not", "and", "or"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct parser ahead = *parser;
        if (parser_take_word(&ahead, words[i])) {
            return true;
        }
    }
    return false;
}

/* Where the type ends that begins here: at the end, or before an operator outside double quotes. */
static size_t type_end(const struct parser *parser, bool operators)
{
    struct parser ahead = *parser;
    bool quoted = false;
    int depth = 0;
    for (; !parser_at_end(&ahead); ahead.at++) {
        char c = parser_peek(&ahead);
        quoted = quoted != (c == '"');
        depth += !quoted && c == '(';
        if (operators && !quoted && (strchr("=!<>~", c) != NULL || (c == ')' && depth == 0))) {
            break;
        }
        depth -= !quoted && c == ')';
        if (operators && !quoted && strchr(" \t\r\n", c) != NULL && at_operator_word(&ahead)) {
            break;
        }
    }
    return ahead.at;
}

/* Parses the text after a "::". */
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
        return parser_fail(parser, start, NULL, "\"%.*s\" is not a type", SLICE_ARGS(text));
    }
    assert(end >= start && end <= parser->text.length);
    parser->at = end;
    expression->declared_type = arena_copy(parser->arena, text).data;
    return OUTCOME_OK;
}

/* --- compiling -------------------------------------------------------------------------------- */

/* A filter that does not take null is skipped for null. A rejection begins with the filter's
 * name. */
static enum outcome apply_filters(const struct expression *expression,
                                  const struct subject *subject, struct arena *arena,
                                  struct value *value, struct error *error)
{
    struct filter_call call = {.subject = subject, .arena = arena, .error = error};
    for (const struct filter_use *use = expression->filters; use != NULL; use = use->next) {
        if (value->kind == VALUE_NULL && !use->filter->takes_null) {
            continue;
        }
        call.filter = use->filter;
        call.arguments = &use->arguments;
        if (use->filter->apply(value, &call) != OUTCOME_OK) {
            error_prefix(error, "%s", use->filter->name);
            return OUTCOME_REJECT;
        }
    }
    return OUTCOME_OK;
}

/* Does the value depend on constants alone? */
static bool is_constant(const struct expression *expression)
{
    bool constant = expression->source.kind == SOURCE_CONSTANT;
    for (const struct filter_use *use = expression->filters; use != NULL; use = use->next) {
        for (size_t i = 0; i < use->arguments.count; i++) {
            constant = constant && use->arguments.sources[i].kind == SOURCE_CONSTANT;
        }
    }
    return constant;
}

/* Evaluates a constant expression: a filter that fails on a constant is a mistake of the
 * configuration. */
static enum outcome fold_constant(struct parser *parser, struct expression *expression)
{
    static const struct subject nobody = {0};
    if (!is_constant(expression)) {
        return OUTCOME_OK;
    }
    if (apply_filters(expression, &nobody, parser->arena, &expression->source.constant,
                      parser->error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    expression->filters = NULL;
    assert(is_constant(expression));
    return OUTCOME_OK;
}

enum outcome expression_parse(struct parser *parser, bool operators, struct expression **expression)
{
    struct expression *made = arena_alloc(parser->arena, sizeof(*made));
    *made = (struct expression){0};
    *expression = made;
    if (source_parse(parser, &made->source) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    made->inferred_type = source_type(&made->source);
    assert(made->inferred_type != NULL);
    made->is_payload = expression_uses_payload(made) && made->source.path == NULL;
    if (parse_filters(parser, made) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    if (parser_take(parser, "::") && parse_type(parser, operators, made) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    parser_skip_space(parser);
    return fold_constant(parser, made);
}

/* A column whose capture is null under some topics of the rule needs a filter that says what it
 * becomes there. In a condition null is a value like any other. */
static enum outcome check_partial(struct parser *parser, size_t start,
                                  const struct expression *expression)
{
    const struct source *partial =
        source_is_partial(&expression->source) ? &expression->source : NULL;
    for (const struct filter_use *use = expression->filters; use != NULL; use = use->next) {
        if (use->filter->takes_null) {
            partial = NULL;
            continue;
        }
        for (size_t i = 0; i < use->arguments.count; i++) {
            if (source_is_partial(&use->arguments.sources[i])) {
                partial = &use->arguments.sources[i];
            }
        }
    }
    if (partial == NULL) {
        return OUTCOME_OK;
    }
    struct slice hint = arena_printf(parser->arena, "{%.*s} | default 'none', or | default null",
                                     SLICE_ARGS(partial->name));
    return parser_fail(parser, start, hint.data, "not each topic of the rule has {%.*s}",
                       SLICE_ARGS(partial->name));
}

/* The hint for something that another language has. */
static const char *hint_behind(const struct parser *parser, const struct expression *expression)
{
    if (expression->is_payload && parser->at < parser->text.length &&
        strchr(" \t", parser->text.data[parser->at - 1]) == NULL) {
        return "a member of the payload is written $.name";
    }
    return hint_behind_expression(parser);
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
    if (outcome == OUTCOME_OK) {
        outcome = check_partial(&parser, 0, made);
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

enum outcome expression_evaluate(const struct expression *expression, const struct subject *subject,
                                 struct arena *arena, struct value *value, struct error *error)
{
    enum outcome outcome = source_take(&expression->source, subject, arena, value, error);
    if (outcome == OUTCOME_OK && expression->filters != NULL) {
        outcome = apply_filters(expression, subject, arena, value, error);
    }
    return outcome;
}

/* --- asking ----------------------------------------------------------------------------------- */

/* Is one of the sources, the expression's own or a filter's argument, of this kind? */
static bool any_source(const struct expression *expression, bool (*is)(const struct source *))
{
    bool found = is(&expression->source);
    for (const struct filter_use *use = expression->filters; use != NULL; use = use->next) {
        for (size_t i = 0; !found && i < use->arguments.count; i++) {
            found = is(&use->arguments.sources[i]);
        }
    }
    return found;
}

bool expression_uses_payload(const struct expression *expression)
{
    return any_source(expression, source_uses_payload);
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
    if (!is_constant(expression)) {
        return false;
    }
    if (value != NULL) {
        *value = expression->source.constant;
    }
    return true;
}

const char *expression_fact_name(const struct expression *expression)
{
    return expression->source.kind == SOURCE_FACT ? expression->source.fact->name : NULL;
}

bool expression_is_member(const struct expression *expression)
{
    return source_uses_payload(&expression->source) && expression->source.path != NULL;
}

bool expression_is_named_member(const struct expression *expression)
{
    return expression_is_member(expression) && expression->source.path->kind == PATH_MEMBER;
}

bool expression_is_bare_member(const struct expression *expression)
{
    return expression_is_member(expression) && expression->filters == NULL &&
           expression->declared_type == NULL;
}

bool expression_varies_by_row(const struct expression *expression)
{
    return any_source(expression, source_varies_by_row);
}

static bool is_rows_fact(const struct source *source)
{
    return source->kind == SOURCE_FACT && strcmp(source->fact->name, "rows") == 0;
}

static bool is_neither_rows_nor_constant(const struct source *source)
{
    return source->kind != SOURCE_CONSTANT && !is_rows_fact(source);
}

bool expression_uses_rows(const struct expression *expression, bool *alone)
{
    *alone = !any_source(expression, is_neither_rows_nor_constant);
    return any_source(expression, is_rows_fact);
}

bool expression_is_bare_capture(const struct expression *expression)
{
    return expression->source.kind == SOURCE_CAPTURE && expression->filters == NULL &&
           expression->declared_type == NULL;
}
