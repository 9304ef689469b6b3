/* SPDX-License-Identifier: MIT */
#include "map/condition.h"

#include <assert.h>

#include "core/rfc3339.h"
#include "core/table_shape.h"
#include "decode/json_scan.h"
#include "map/decimal.h"
#include "map/expression_parser.h"

/* What comparing gives; `unequal` when neither is less. */
enum relation {
    RELATION_LESS = 1,
    RELATION_EQUAL = 2,
    RELATION_GREATER = 4,
    RELATION_UNEQUAL = 8,
};

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
    {"!=", RELATION_LESS | RELATION_GREATER | RELATION_UNEQUAL, NULL},
    {"<=", RELATION_LESS | RELATION_EQUAL, NULL},
    {">=", RELATION_GREATER | RELATION_EQUAL, NULL},
    {"=", RELATION_EQUAL, NULL},
    {"<", RELATION_LESS, NULL},
    {">", RELATION_GREATER, NULL},
};

struct condition {
    struct arena *arena; /* everything here lives in it */
    struct expression *expression;
    struct slice source;     /* the expression's text, without white space around it */
    enum type_family family; /* of "::type" */
    bool asks_null;          /* is null, is not null */
    bool wants_null;         /* … which of them */
    const struct comparison *comparison;
    struct value constant;
    bool constant_is_time; /* the text is RFC 3339: */
    int64_t constant_us;
};

/* --- compiling -------------------------------------------------------------------------------- */

static enum outcome parse_is(struct parser *parser, struct condition *condition)
{
    condition->asks_null = true;
    condition->wants_null = !parser_take_word(parser, "not");
    if (!parser_take_word(parser, "null")) {
        return parser_fail(parser, parser->at, NULL, "\"is null\" or \"is not null\" expected");
    }
    return OUTCOME_OK;
}

static enum outcome parse_operator(struct parser *parser, struct condition *condition)
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
        condition->comparison = &comparisons[i];
        return OUTCOME_OK;
    }
    return parser_fail(parser, parser->at, "= != < <= > >=, is null, is not null",
                       "an operator expected");
}

static bool is_time_type(const char *type)
{
    return slice_is(slice_of(type), "timestamptz");
}

static enum outcome parse_constant(struct parser *parser, struct condition *condition)
{
    parser_skip_space(parser);
    size_t start = parser->at;
    if (parser_constant(parser, &condition->constant) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    if (condition->constant.kind == VALUE_NULL) {
        return parser_fail(parser, start, "write is null or is not null",
                           "nothing compares with null");
    }
    condition->constant_is_time = condition->constant.kind == VALUE_TEXT &&
                                  rfc3339_parse(condition->constant.text, &condition->constant_us);
    if (is_time_type(expression_inferred_type(condition->expression)) &&
        condition->family == TYPE_NONE && !condition->constant_is_time) {
        return parser_fail(parser, start, "RFC 3339: '2026-11-23T03:29:30Z'",
                           "a timestamp compares with a time");
    }
    return OUTCOME_OK;
}

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

static enum outcome parse_condition(struct parser *parser, struct condition *condition)
{
    size_t start = parser->at;
    enum outcome outcome = expression_parse(parser, true, &condition->expression);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    condition->source = text_before(parser, start);
    condition->family = declared_family(condition->expression);
    if (parser_take_word(parser, "is")) {
        outcome = parse_is(parser, condition);
    } else {
        outcome = parse_operator(parser, condition);
        outcome = outcome == OUTCOME_OK ? parse_constant(parser, condition) : outcome;
    }
    parser_skip_space(parser);
    if (outcome == OUTCOME_OK && !parser_at_end(parser)) {
        outcome =
            parser_fail(parser, parser->at, "several conditions are a list", "the end expected");
    }
    return outcome;
}

enum outcome condition_compile(struct slice text, const struct scope *scope,
                               struct condition **condition, struct error *error)
{
    struct parser parser;
    if (parser_init(&parser, text, scope, error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    struct condition *made = arena_alloc(parser.arena, sizeof(*made));
    *made = (struct condition){.arena = parser.arena};
    if (parse_condition(&parser, made) != OUTCOME_OK) {
        arena_free(parser.arena);
        return OUTCOME_REJECT;
    }
    *condition = made;
    return OUTCOME_OK;
}

void condition_free(struct condition *condition)
{
    if (condition != NULL) {
        arena_free(condition->arena);
    }
}

/* --- evaluating ------------------------------------------------------------------------------- */

/* What "::type" makes of a value here: the kind that the type's values compare as. What does not
 * fit stays as it is. */
static void take_kind_of_type(enum type_family family, struct value *value)
{
    int64_t time_us;
    switch (family) {
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
    case TYPE_NUMERIC:
        if (value->kind == VALUE_TEXT && json_is_number(value->text)) {
            value->kind = VALUE_NUMBER;
        }
        break;
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_CHAR:
        if (value->kind == VALUE_NUMBER) {
            value->kind = VALUE_TEXT;
        } else if (value->kind == VALUE_BOOLEAN) {
            *value = value_text(slice_of(value->boolean ? "true" : "false"));
        }
        break;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        if (value->kind == VALUE_TEXT && rfc3339_parse(value->text, &time_us)) {
            *value = value_time(time_us);
        }
        break;
    default:
        break;
    }
}

static enum relation relation_of(int comparison)
{
    return comparison < 0 ? RELATION_LESS : comparison > 0 ? RELATION_GREATER : RELATION_EQUAL;
}

static int compare_bytes(struct slice left, struct slice right)
{
    size_t shorter = left.length < right.length ? left.length : right.length;
    int comparison = shorter > 0 ? memcmp(left.data, right.data, shorter) : 0;
    return comparison != 0 ? comparison
                           : (left.length > right.length) - (left.length < right.length);
}

static enum relation compare_numbers(struct slice left_text, struct slice right_text)
{
    struct number left;
    struct number right;
    bool numbers = number_parse(left_text, &left) && number_parse(right_text, &right);
    assert(numbers);
    return numbers ? relation_of(decimal_compare(&left, &right)) : RELATION_UNEQUAL;
}

static enum relation compare(const struct condition *condition, const struct value *value)
{
    const struct value *constant = &condition->constant;
    if (value->kind == VALUE_TIME && condition->constant_is_time) {
        return relation_of((value->time_us > condition->constant_us) -
                           (value->time_us < condition->constant_us));
    }
    if (value->kind == VALUE_BYTES && constant->kind == VALUE_TEXT) {
        return relation_of(compare_bytes(value->text, constant->text));
    }
    if (value->kind != constant->kind) {
        return RELATION_UNEQUAL;
    }
    switch (value->kind) {
    case VALUE_BOOLEAN:
        return relation_of(value->boolean - constant->boolean);
    case VALUE_NUMBER:
        return compare_numbers(value->text, constant->text);
    default: /* TEXT: a constant is nothing else */
        return relation_of(compare_bytes(value->text, constant->text));
    }
}

enum outcome condition_holds(const struct condition *condition, const struct subject *subject,
                             struct arena *arena, bool *holds, struct error *error)
{
    struct value value;
    if (expression_evaluate(condition->expression, subject, arena, &value, error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    if (condition->asks_null) {
        *holds = (value.kind == VALUE_NULL) == condition->wants_null;
    } else {
        take_kind_of_type(condition->family, &value);
        *holds = (condition->comparison->holds_for & compare(condition, &value)) != 0;
    }
    return OUTCOME_OK;
}

bool condition_uses_payload(const struct condition *condition)
{
    return expression_uses_payload(condition->expression);
}

/* --- asking ----------------------------------------------------------------------------------- */

bool condition_is_never(const struct condition *condition)
{
    const struct subject nothing = {0};
    struct error error;
    bool holds = true;
    if (expression_is_constant(condition->expression, NULL)) {
        return condition_holds(condition, &nothing, condition->arena, &holds, &error) ==
                   OUTCOME_OK &&
               !holds;
    }
    return !condition->asks_null && expression_is_bare_capture(condition->expression) &&
           condition->constant.kind != VALUE_TEXT &&
           (condition->comparison->holds_for & RELATION_UNEQUAL) == 0;
}

static bool takes_null(const struct condition *condition)
{
    return condition->asks_null ? condition->wants_null
                                : (condition->comparison->holds_for & RELATION_UNEQUAL) != 0;
}

/* Relations to one constant that go with each relation to a larger one. */
static bool meet_apart(unsigned lower, unsigned upper)
{
    bool below = (lower & RELATION_LESS) != 0 && (upper & RELATION_LESS) != 0;
    bool at_lower = (lower & RELATION_EQUAL) != 0 && (upper & RELATION_LESS) != 0;
    bool between = (lower & RELATION_GREATER) != 0 && (upper & RELATION_LESS) != 0;
    bool at_upper = (lower & RELATION_GREATER) != 0 && (upper & RELATION_EQUAL) != 0;
    bool above = (lower & RELATION_GREATER) != 0 && (upper & RELATION_GREATER) != 0;
    bool unlike = (lower & RELATION_UNEQUAL) != 0 && (upper & RELATION_UNEQUAL) != 0;
    return below || at_lower || between || at_upper || above || unlike;
}

bool conditions_exclude(const struct condition *left, const struct condition *right)
{
    if (!slice_equal(left->source, right->source) || (takes_null(left) && takes_null(right))) {
        return false;
    }
    if (left->asks_null || right->asks_null) {
        const struct condition *asks = left->asks_null ? left : right;
        const struct condition *other = left->asks_null ? right : left;
        return asks->wants_null || (other->asks_null && other->wants_null);
    }
    if (left->constant_is_time || right->constant_is_time ||
        left->constant.kind != right->constant.kind) {
        return false;
    }
    unsigned one = left->comparison->holds_for;
    unsigned other = right->comparison->holds_for;
    switch (compare(left, &right->constant)) { /* the right constant to the left one */
    case RELATION_EQUAL:
        return (one & other) == 0;
    case RELATION_GREATER:
        return !meet_apart(one, other);
    default:
        return !meet_apart(other, one);
    }
}
