/*
 * hints: the text in parentheses behind a mistake in an expression or condition: our spelling of
 * something from another language, or the name that a misspelt one was meant to be.
 *
 * Each function returns a text without an end of its own (a constant, or in the parser's arena), or
 * NULL where there is nothing to say.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_HINTS_H
#define MQTT2PG_MAP_HINTS_H

#include "map/parser.h"

/* For the text after a whole expression. */
const char *hint_behind_expression(const struct parser *parser);

/* For the text after a whole condition. */
const char *hint_behind_condition(const struct parser *parser);

/* For the text where an operator of conditions is expected. */
const char *hint_operator(const struct parser *parser);

/* For the text where a constant is expected; `constant_left`: the left side is a constant, too. */
const char *hint_right_side(const struct parser *parser, bool constant_left);

/* For a bare word where a source is expected. */
const char *hint_source_word(struct parser *parser, struct slice word);

/* For an unknown {name} or @name: the other kind with that name, or a similar name. */
const char *hint_capture(struct parser *parser, struct slice name);
const char *hint_fact(struct parser *parser, struct slice name);

/* For an unknown time zone: one of the system's tzdata with a similar name, or a similar last
 * part. */
const char *hint_zone(struct parser *parser, struct slice name);

#endif
