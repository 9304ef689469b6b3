/*
 * condition_term: a condition as a tree. Internal to map/condition.c and map/condition_parser.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_CONDITION_TERM_H
#define MQTT2PG_MAP_CONDITION_TERM_H

#include "core/table_shape.h"
#include "map/compare.h"
#include "map/condition.h"
#include "map/parser.h"
#include "map/regex.h"

enum term_kind {
    TERM_OR,      /* one of `parts` holds */
    TERM_AND,     /* all of `parts` hold */
    TERM_NOT,     /* `parts`, which is one, does not hold */
    TERM_COMPARE, /* `expression` has one of the relations `holds_for` to constants[0] */
    TERM_IN,      /* `expression` equals one of `constants` */
    TERM_LIKE,    /* `expression` is like `pattern` */
    TERM_REGEX,   /* `expression` matches `regex` */
    TERM_NULL,    /* `expression` is null */
};

/* Lives in the condition's arena. */
struct term {
    enum term_kind kind;
    struct term *parts; /* of OR, AND and NOT */
    struct term *next;  /* among the parts of another term */
    struct expression *expression;
    struct slice source;     /* the expression's text, without white space around it */
    enum type_family family; /* of "::type" */
    unsigned holds_for;      /* relations */
    struct constant *constants;
    size_t count;
    struct slice pattern;
    const struct regex *regex;
};

/* Reads a whole condition up to the end of the text. */
enum outcome term_parse(struct parser *parser, struct term **term) MUST_CHECK;

#endif
