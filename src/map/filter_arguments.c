/*
 * filter_arguments: reads the arguments after a filter's name. Commas between arguments may be left
 * out.
 *
 * Three kinds of arguments: sources (a path, a capture, a fact, a constant), constants alone, and
 * integers, which are constants of few digits. A filter that needs another grammar (time,
 * extract, split, number) has a parser of its own beside its `apply`.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "map/filter_family.h"

enum { OFFSET_DIGITS_MAX = 7, SOURCES_FIRST = 8 };

/* What is being gathered. */
struct list {
    struct source *sources;
    size_t count;
    size_t capacity;
};

/* "round(2)", as a function is written elsewhere. */
static enum outcome refuse_parenthesis(struct parser *parser, const struct filter *filter)
{
    parser_skip_space(parser);
    return parser_peek(parser) != '('
               ? OUTCOME_OK
               : parser_fail(parser, parser->at, "arguments stand without ( and )",
                             "filter \"%s\": %s expected", filter->name, filter->syntax);
}

/* Reads a source and adds it to the list; the error of a mistake names the filter. */
static enum outcome take_source(struct parser *parser, const struct filter *filter,
                                struct list *list)
{
    assert(list->count <= list->capacity);
    if (refuse_parenthesis(parser, filter) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? list->capacity * 2 : SOURCES_FIRST;
        struct source *sources = arena_alloc(parser->arena, capacity * sizeof(*sources));
        if (list->count > 0) {
            memcpy(sources, list->sources, list->count * sizeof(*sources));
        }
        list->sources = sources;
        list->capacity = capacity;
    }
    if (source_parse(parser, &list->sources[list->count]) != OUTCOME_OK) {
        error_prefix(parser->error, "filter \"%s\"", filter->name);
        return OUTCOME_REJECT;
    }
    list->count++;
    return OUTCOME_OK;
}

/* The same for a constant: a path or a capture is a mistake here. */
static enum outcome take_constant(struct parser *parser, const struct filter *filter,
                                  struct list *list)
{
    if (refuse_parenthesis(parser, filter) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    if (!parser_at_constant(parser)) {
        struct value ignored;
        bool none = parser_constant(parser, &ignored) != OUTCOME_OK;
        assert(none); /* no constant begins here */
        error_prefix(parser->error, "filter \"%s\"", filter->name);
        return none ? OUTCOME_REJECT : OUTCOME_FATAL;
    }
    return take_source(parser, filter, list);
}

/* The list becomes the filter's arguments. */
static void give(const struct list *list, struct filter_arguments *arguments)
{
    assert(list->count == 0 || list->sources != NULL);
    arguments->sources = list->sources;
    arguments->count = list->count;
}

enum outcome filter_parse_nothing(struct parser *parser, const struct filter *filter,
                                  struct filter_arguments *arguments)
{
    (void) parser;
    (void) filter;
    (void) arguments;
    return OUTCOME_OK;
}

enum outcome filter_parse_number(struct parser *parser, const struct filter *filter,
                                 struct filter_arguments *arguments)
{
    struct list list = {0};
    parser_skip_space(parser);
    size_t start = parser->at;
    if (take_constant(parser, filter, &list) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    if (list.sources[0].constant.kind != VALUE_NUMBER) {
        return parser_fail(parser, start, NULL, "filter \"%s\" takes a number", filter->name);
    }
    give(&list, arguments);
    return OUTCOME_OK;
}

/* An integer of at most so many digits, so that it fits into an int. */
static bool is_integer(const struct value *value, size_t digits_max)
{
    assert(digits_max <= OFFSET_DIGITS_MAX);
    size_t sign = value->kind == VALUE_NUMBER && value->text.data[0] == '-';
    for (size_t i = sign; value->kind == VALUE_NUMBER && i < value->text.length; i++) {
        if (value->text.data[i] < '0' || value->text.data[i] > '9') {
            return false;
        }
    }
    return value->kind == VALUE_NUMBER && value->text.length - sign <= digits_max;
}

/* How many words a filter's syntax has: "BYTE FROM COUNT" are three arguments. */
static size_t words_of(const char *syntax)
{
    size_t words = *syntax != '\0';
    for (; *syntax != '\0'; syntax++) {
        words += *syntax == ' ';
    }
    return words;
}

enum outcome filter_parse_short_integers(struct parser *parser, const struct filter *filter,
                                         struct filter_arguments *arguments, size_t digits_max)
{
    static const char *const limits[] = {"1",     "10",     "100",     "1000",
                                         "10000", "100000", "1000000", "10000000"};
    struct list list = {0};
    assert(*filter->syntax != '\0' && digits_max < sizeof(limits) / sizeof(limits[0]));
    for (size_t words = words_of(filter->syntax); list.count < words;) {
        (void) (list.count > 0 && parser_take(parser, ","));
        parser_skip_space(parser);
        size_t start = parser->at;
        if (take_constant(parser, filter, &list) != OUTCOME_OK) {
            return OUTCOME_REJECT;
        }
        if (!is_integer(&list.sources[list.count - 1].constant, digits_max)) {
            return parser_fail(parser, start, NULL, "filter \"%s\" takes %s below %s", filter->name,
                               words == 1 ? "an integer" : "integers", limits[digits_max]);
        }
    }
    give(&list, arguments);
    return OUTCOME_OK;
}

enum outcome filter_parse_integers(struct parser *parser, const struct filter *filter,
                                   struct filter_arguments *arguments)
{
    return filter_parse_short_integers(parser, filter, arguments, OFFSET_DIGITS_MAX);
}

enum outcome filter_parse_source(struct parser *parser, const struct filter *filter,
                                 struct filter_arguments *arguments)
{
    struct list list = {0};
    enum outcome outcome = take_source(parser, filter, &list);
    give(&list, arguments);
    return outcome;
}

/* An integer argument, which filter_parse_integers() has looked at. */
int filter_integer_argument(const struct filter_arguments *arguments, size_t index)
{
    struct decimal number = {0};
    int64_t integer = 0;
    assert(index < arguments->count);
    bool good = decimal_parse(arguments->sources[index].constant.text, &number) &&
                decimal_to_int64(number, &integer);
    assert(good);
    return good ? (int) integer : 0;
}

/* What a filter takes any number of. */
struct repeated {
    enum outcome (*take)(struct parser *, const struct filter *, struct list *);
    bool (*begins)(const struct parser *); /* does another one stand next? */
};

/* One or more; a comma may stand between two. */
static enum outcome parse_many(struct parser *parser, const struct filter *filter,
                               const struct repeated *repeated, struct filter_arguments *arguments)
{
    struct list list = {0};
    bool more = true;
    while (more) {
        if (repeated->take(parser, filter, &list) != OUTCOME_OK) {
            return OUTCOME_REJECT;
        }
        more = parser_take(parser, ",") || repeated->begins(parser);
    }
    assert(list.count > 0);
    give(&list, arguments);
    return OUTCOME_OK;
}

enum outcome filter_parse_sources(struct parser *parser, const struct filter *filter,
                                  struct filter_arguments *arguments)
{
    static const struct repeated sources = {take_source, source_begins};
    return parse_many(parser, filter, &sources, arguments);
}

enum outcome filter_parse_constants(struct parser *parser, const struct filter *filter,
                                    struct filter_arguments *arguments)
{
    static const struct repeated constants = {take_constant, parser_at_constant};
    return parse_many(parser, filter, &constants, arguments);
}

enum outcome filter_parse_pairs(struct parser *parser, const struct filter *filter,
                                struct filter_arguments *arguments)
{
    struct list list = {0};
    do {
        parser_skip_space(parser);
        size_t start = parser->at;
        if (take_constant(parser, filter, &list) != OUTCOME_OK) {
            return OUTCOME_REJECT;
        }
        if (list.sources[list.count - 1].constant.kind == VALUE_NULL) {
            return parser_fail(parser, start, "what null becomes is written | default X",
                               "filter \"%s\" never sees null", filter->name);
        }
        (void) parser_take(parser, ",");
        parser_skip_space(parser);
        if (!parser_at_constant(parser)) {
            return parser_fail(parser, parser->at, "pairs, as in map 0 'off' 1 'on' else 'unknown'",
                               "filter \"%s\": constant expected", filter->name);
        }
        if (take_constant(parser, filter, &list) != OUTCOME_OK) {
            return OUTCOME_REJECT;
        }
    } while (parser_take(parser, ",") || parser_at_constant(parser));
    if (parser_take_word(parser, "else")) {
        arguments->has_else = true;
        if (take_source(parser, filter, &list) != OUTCOME_OK) {
            return OUTCOME_REJECT;
        }
    }
    give(&list, arguments);
    return OUTCOME_OK;
}
