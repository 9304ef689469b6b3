/*
 * filters: the filters after a "|". Each has a row in filters[], from which the reference page is
 * made. Pure.
 *
 * Filters of numbers read a text as a column would read it ("+5.44", ".5", " 06.3 "); their results
 * are exact or rejected, never rounded, and of numbers that have at most DECIMAL_DIGITS_MAX digits.
 * unix_… cuts what is finer than a microsecond toward the past (-0.0000001 s is 1969-12-31
 * 23:59:59.999999). hex, base64 and json also take bytes (the format raw); base64 takes both
 * alphabets of RFC 4648, padding is optional, and nothing else may stand in it. Of json_or_text and
 * binary over the same bytes at most one is not null: together they keep a payload of any kind.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_FILTERS_H
#define MQTT2PG_MAP_FILTERS_H

#include <stdbool.h>
#include <stddef.h>

#include "map/source.h"

/* The arguments after the filter's name. */
struct filter_arguments {
    const struct source *sources; /* one or more; NULL: none */
    size_t count;
    bool has_else;        /* of map: the last source is the one after "else" */
    const void *compiled; /* what the filter's own parser made */
};

struct filter;

/* One application of a filter. All borrowed. */
struct filter_call {
    const struct filter *filter;
    const struct filter_arguments *arguments;
    const struct subject *subject;
    struct arena *arena;
    struct error *error;
};

/* OUTCOME_REJECT with a reason that names the value but not the filter. */
typedef enum outcome filter_apply(struct value *value, const struct filter_call *call);

/* Reads the arguments; `filter` is the row of the table. */
typedef enum outcome filter_parse(struct parser *parser, const struct filter *filter,
                                  struct filter_arguments *arguments);

/* The members stand in the order in which a row of the table reads.
 * NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct filter {
    const char *name;
    const char *syntax; /* of its arguments, for people; "" = none */
    filter_parse *parse;
    filter_apply *apply;
    bool takes_null;  /* else a null passes untouched */
    const char *type; /* inferred column type of its result, or NULL: unchanged */
    int layout;       /* of the filters that read bytes, which share an `apply` */
    const char *help; /* one line */
};

extern const struct filter filters[];
extern const size_t filter_count;

const struct filter *filter_find(struct slice name);

#endif
