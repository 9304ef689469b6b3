/*
 * parser: the lexical elements that expressions, conditions and paths share, and the form of
 * messages about mistakes.
 *
 * A parser reads one text of the configuration. Its results are in its arena, which the compiled
 * object then owns. Every function that fails has set parser->error.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_PARSER_H
#define MQTT2PG_MAP_PARSER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/outcome.h"
#include "core/value.h"
#include "map/expression.h"

/* Where the parsing of one text stands. All pointers are borrowed, but the arena becomes that of
 * the result. */
struct parser {
    struct slice text; /* well-formed UTF-8 without NUL */
    size_t at;         /* the next byte */
    const struct scope *scope;
    struct arena *arena;
    struct error *error;
};

/* Begins on a copy of `text` in a new arena. OUTCOME_REJECT when the text is not UTF-8 or holds
 * NUL; nothing is to be freed then. */
enum outcome parser_init(struct parser *parser, struct slice text, const struct scope *scope,
                         struct error *error) MUST_CHECK;

/* Fills the error: what, " at character N" for the byte `at`, then `hint` (may be NULL) in
 * parentheses. Returns OUTCOME_REJECT. */
enum outcome parser_fail(struct parser *parser, size_t at, const char *hint, const char *format,
                         ...) PRINTF_LIKE(4, 5);

/* A hint "did you mean a, b?" for a word that is none of `words` (a column of a table, as
 * text_suggest() takes it): those that begin with it, else the nearest one. Lives in the
 * parser's arena; NULL when nothing is near. */
const char *parser_suggest(struct parser *parser, struct slice word, const char *const *words,
                           size_t count, size_t stride);

void parser_skip_space(struct parser *parser);
bool parser_at_end(const struct parser *parser);

/* The next byte, '\0' at the end. */
char parser_peek(const struct parser *parser);

/* Takes `token` when it stands next; white space before it is skipped in any case. */
bool parser_take(struct parser *parser, const char *token);

/* Takes `word` when it stands next in any case of its letters and nothing of a word stands
 * behind it. */
bool parser_take_word(struct parser *parser, const char *word);

/* RFC 9535's member-name-shorthand: a letter, "_" or any character beyond ASCII, then also
 * digits. Empty when none stands here. */
struct slice parser_name(struct parser *parser);

/* Does a name that was just read end here, at white space, an operator or the end? */
bool parser_ends_name(const struct parser *parser);

/* Does a constant stand next? */
bool parser_at_constant(const struct parser *parser);

/* 'text' with '' for a quote in it; the parser stands at the first quote. */
enum outcome parser_quoted(struct parser *parser, struct slice *text) MUST_CHECK;

/* 'text', a number, true, false, null. */
enum outcome parser_constant(struct parser *parser, struct value *value) MUST_CHECK;

/* Where in the text the byte `offset` of a quoted text stands whose first quote is at `start`: a
 * quote within it is written twice. */
size_t parser_quoted_at(const struct parser *parser, size_t start, size_t offset);

#endif
