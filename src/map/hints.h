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

/* What stands next, behind a whole expression. */
const char *hint_behind_expression(const struct parser *parser);

/* What stands next, behind a whole condition. */
const char *hint_behind_condition(const struct parser *parser);

/* What stands next, where an operator of conditions is expected. */
const char *hint_operator(const struct parser *parser);

/* What stands next, where a constant is expected; `constant_left`: what it would be compared with
 * is a constant. */
const char *hint_right_side(const struct parser *parser, bool constant_left);

/* A bare word where a source is expected. */
const char *hint_source_word(struct parser *parser, struct slice word);

/* {name} or @name that is not there: the other kind with that name, or nearly the same name. */
const char *hint_capture(struct parser *parser, struct slice name);
const char *hint_fact(struct parser *parser, struct slice name);

/* A time zone that is not there: one of the system's tzdata whose name, or the part of it behind
 * the last "/", is nearly the same. */
const char *hint_zone(struct parser *parser, struct slice name);

#endif
