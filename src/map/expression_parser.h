/*
 * expression_parser: an expression as the beginning of something longer. Only for expression.c
 * and condition.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_EXPRESSION_PARSER_H
#define MQTT2PG_MAP_EXPRESSION_PARSER_H

#include "map/parser.h"

/*
 * Reads `source [ | filter [arguments] ]… [ :: type ]` and stops behind it, at white space, an
 * operator or the end. Where `operators` is true a type ends before one of "=!<>" or the word
 * "is". The expression lives in the parser's arena; it is not freed by itself.
 */
enum outcome expression_parse(struct parser *parser, bool operators,
                              struct expression **expression) MUST_CHECK;

#endif
