/*
 * The first character tells the kind of a source: "$" a path, "{" a capture, "@" a fact, anything
 * else a constant. Three parts: reading, evaluating, and what is asked about a source that was
 * read.
 *
 * A capture or a fact may hold any bytes, since a broker need not check them. A capture or fact
 * that is not UTF-8 rejects the message here, so later stages need not check. The payload was
 * checked by its decoder.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/source.h"

#include <assert.h>

#include "base/text.h"
#include "map/hints.h"
#include "map/path_uses.h"

/* Nodes of fewer children are searched each time. */
enum { MEMO_MEMBERS_MIN = 32 };

/* --- reading ---------------------------------------------------------------------------------- */

/* Parses the text after a "{". */
static enum outcome parse_capture(struct parser *parser, struct source *source)
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
            source->kind = SOURCE_CAPTURE;
            source->capture = i;
            source->partial = scope->partial != NULL && scope->partial[i];
            source->name = name;
            return OUTCOME_OK;
        }
    }
    return parser_fail(parser, start, hint_capture(parser, name), "unknown capture {%.*s}",
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
        /* Without this check "@property.my-key" would be read as "my" and a strange operator. */
        if (name->length > 0 && parser_ends_name(parser)) {
            return OUTCOME_OK;
        }
    }
    return parser_fail(parser, start, "an odd one is quoted: @property.'odd name'",
                       "name of a property expected");
}

/* The "^" that stand next. */
static unsigned take_carets(struct parser *parser)
{
    unsigned count = 0;
    while (parser_peek(parser) == '^') {
        parser->at++;
        count++;
    }
    return count;
}

/* "^" behind "@key". */
static enum outcome parse_key_levels(struct parser *parser, size_t start, struct source *source)
{
    assert(source->fact != NULL);
    source->out = take_carets(parser);
    if (source->out == 0) {
        return OUTCOME_OK;
    }
    source->kind = SOURCE_KEY;
    if (source->out >= parser->scope->row_levels) {
        return parser_fail(parser, start, "each [*] and .* of rows is one level",
                           "@key has no level so far out");
    }
    return OUTCOME_OK;
}

/* In an acknowledgment "$" is the whole payload, whatever the rule's rows are. */
static void note_use(const struct scope *scope, const struct source *source)
{
    bool whole = source->kind == SOURCE_PAYLOAD || scope->in_ack;

    if (scope->uses != NULL) {
        path_uses_add(scope->uses,
                      &(struct path_use){.root = whole ? PATH_FROM_PAYLOAD : PATH_FROM_LEVEL,
                                         .out = source->out,
                                         .steps = source->path});
    }
}

/* Parses the text after a "@". */
static enum outcome parse_fact(struct parser *parser, struct source *source)
{
    size_t start = parser->at - 1;
    struct slice name = parser_name(parser);
    const struct fact *fact = fact_find(name);
    if (fact == NULL) {
        return parser_fail(parser, start, hint_fact(parser, name), "unknown @%.*s",
                           SLICE_ARGS(name));
    }
    if (fact->place == FACT_IN_ROWS && parser->scope->row_levels == 0) {
        return parser_fail(parser, start, "only a rule with rows has it", "no @%s here",
                           fact->name);
    }
    if (fact->place == FACT_IN_ACK && !parser->scope->in_ack) {
        return parser_fail(parser, start, "only acks have it", "no @%s here", fact->name);
    }
    source->kind = SOURCE_FACT;
    source->fact = fact;
    if (strcmp(fact->name, "payload") == 0) {
        note_use(parser->scope, &(struct source){.kind = SOURCE_PAYLOAD});
    }
    if (fact->named) {
        return parse_fact_name(parser, &source->name);
    }
    return fact->place == FACT_IN_ROWS ? parse_key_levels(parser, start, source) : OUTCOME_OK;
}

/* Parses the text after a "$". */
static enum outcome parse_path(struct parser *parser, struct source *source)
{
    size_t start = parser->at - 1;
    source->kind = SOURCE_HERE;
    if (parser_peek(parser) == '$') {
        parser->at++;
        source->kind = SOURCE_PAYLOAD;
    } else {
        source->out = take_carets(parser);
        source->kind = source->out > 0 ? SOURCE_OUTER : SOURCE_HERE;
    }
    if (source->out > parser->scope->row_levels) {
        return parser_fail(parser, start, "each [*] and .* of rows is one level",
                           parser->scope->row_levels == 0 ? "only a rule with rows has $^"
                                                          : "$ has no level so far out");
    }
    if (path_parse(parser, false, &source->path) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    note_use(parser->scope, source);
    return OUTCOME_OK;
}

/* A constant; of a bare word, what it could have meant. */
static enum outcome parse_constant(struct parser *parser, struct source *source)
{
    size_t start = parser->at;
    if (strchr("'+-.0123456789", parser_peek(parser)) == NULL) {
        struct slice word = parser_name(parser);
        bool known = slice_is(word, "true") || slice_is(word, "false") || slice_is(word, "null");
        if (!known) {
            return parser_fail(parser, start, hint_source_word(parser, word), "a source expected");
        }
        parser->at = start;
    }
    source->kind = SOURCE_CONSTANT;
    return parser_constant(parser, &source->constant);
}

enum outcome source_parse(struct parser *parser, struct source *source)
{
    *source = (struct source){0};
    parser_skip_space(parser);
    switch (parser_peek(parser)) {
    case '$':
        parser->at++;
        return parse_path(parser, source);
    case '{':
        parser->at++;
        return parse_capture(parser, source);
    case '@':
        parser->at++;
        return parse_fact(parser, source);
    case '\0':
        return parser_fail(parser, parser->at, "$.name, {name}, @name, 'text' or a number",
                           "a source expected");
    default:
        return parse_constant(parser, source);
    }
}

bool source_begins(const struct parser *parser)
{
    char next = parser_peek(parser);
    return next == '$' || next == '{' || next == '@' || parser_at_constant(parser);
}

/* --- evaluating ------------------------------------------------------------------------------- */

/* Rejects bytes that are not UTF-8: topics and properties come from outside, and a broker need not
 * check them. */
static enum outcome check_text(const struct value *value, const char *before, struct slice name,
                               struct error *error)
{
    if (value->kind == VALUE_TEXT && !text_is_utf8(value->text)) {
        return error_set(error, OUTCOME_REJECT, "%s%.*s is not UTF-8", before, SLICE_ARGS(name));
    }
    return OUTCOME_OK;
}

/* The text of the captured level; null where the topic has no such level. */
static enum outcome take_capture(const struct source *source, const struct subject *subject,
                                 struct value *value, struct error *error)
{
    assert(subject->captures != NULL);
    struct slice capture = subject->captures[source->capture];
    *value = capture.data == NULL ? value_null() : value_text(capture);
    return check_text(value, "capture ", source->name, error);
}

/* Only facts from outside can be malformed; facts of acknowledgments are our own. */
static enum outcome take_fact(const struct source *source, const struct subject *subject,
                              struct arena *arena, struct value *value, struct error *error)
{
    const struct fact *fact = source->fact;
    *value = fact->get(subject, source->name, arena);
    return fact->place == FACT_IN_ACK ? OUTCOME_OK
                                      : check_text(value, "@", slice_of(fact->name), error);
}

/* The level `out` levels out; NULL beyond the outermost one, which is the whole payload. */
static const struct row_level *level_out(const struct subject *subject, unsigned out)
{
    assert(out > 0);
    const struct row_level *level = subject->outer;
    for (; out > 1 && level != NULL; out--) {
        level = level->outer;
    }
    return level;
}

/* As path_walk(), but remembers where the path led to when it begins in a large node. */
static const struct node *walk_outside(const struct subject *subject, const struct path_step *path,
                                       const struct node *from)
{
    struct path_memo *memo = subject->memo;
    if (memo == NULL || from == NULL || from->count < MEMO_MEMBERS_MIN) {
        return path_walk(path, from);
    }
    for (size_t i = 0; i < PATH_MEMO_PLACES; i++) {
        if (memo->places[i].path == path && memo->places[i].from == from) {
            return memo->places[i].to;
        }
    }
    unsigned place = memo->next;
    assert(place < PATH_MEMO_PLACES);
    memo->next = (place + 1) % PATH_MEMO_PLACES;
    memo->places[place].path = path;
    memo->places[place].from = from;
    memo->places[place].to = path_walk(path, from);
    return memo->places[place].to;
}

enum outcome source_take(const struct source *source, const struct subject *subject,
                         struct arena *arena, struct value *value, struct error *error)
{
    const struct row_level *level;
    switch (source->kind) {
    case SOURCE_HERE:
        *value = node_value(path_walk(source->path, subject->here));
        break;
    case SOURCE_OUTER:
        level = level_out(subject, source->out);
        *value = node_value(
            walk_outside(subject, source->path, level != NULL ? level->node : subject->payload));
        break;
    case SOURCE_PAYLOAD:
        *value = node_value(walk_outside(subject, source->path, subject->payload));
        break;
    case SOURCE_CAPTURE:
        return take_capture(source, subject, value, error);
    case SOURCE_FACT:
        return take_fact(source, subject, arena, value, error);
    case SOURCE_KEY:
        level = level_out(subject, source->out);
        *value = level != NULL ? level->key : value_null();
        break;
    case SOURCE_CONSTANT:
        *value = source->constant;
        break;
    }
    return OUTCOME_OK;
}

/* --- asking ----------------------------------------------------------------------------------- */

const char *source_type(const struct source *source)
{
    assert(source->kind != SOURCE_FACT || source->fact != NULL);
    switch (source->kind) {
    case SOURCE_HERE:
    case SOURCE_OUTER:
    case SOURCE_PAYLOAD:
        return source->path == NULL ? "jsonb" : "text";
    case SOURCE_FACT:
        return source->fact->type;
    case SOURCE_CONSTANT:
        return source->constant.kind == VALUE_NUMBER    ? "numeric"
               : source->constant.kind == VALUE_BOOLEAN ? "boolean"
                                                        : "text";
    case SOURCE_KEY:
    case SOURCE_CAPTURE:
        break;
    }
    return "text";
}

bool source_uses_payload(const struct source *source)
{
    return source->kind == SOURCE_HERE || source->kind == SOURCE_PAYLOAD ||
           source->kind == SOURCE_OUTER;
}

bool source_is_partial(const struct source *source)
{
    return source->kind == SOURCE_CAPTURE && source->partial;
}

bool source_varies_by_row(const struct source *source)
{
    return source->kind == SOURCE_HERE || source->kind == SOURCE_OUTER ||
           source->kind == SOURCE_KEY ||
           (source->kind == SOURCE_FACT && source->fact->place == FACT_IN_ROWS);
}
