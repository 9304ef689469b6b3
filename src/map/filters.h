/*
 * filters: what may stand behind a "|". One row of filters[] each; the reference page is made
 * from it. Pure.
 *
 * Filters of numbers also take a text that is a JSON number but for white space around it, as
 * columns do; their results are exact or rejected, never rounded, and of numbers that have at
 * most DECIMAL_DIGITS_MAX digits. unix_… cuts what is finer than a microsecond toward the past
 * (-0.0000001 s is 1969-12-31 23:59:59.999999). lower and upper change ASCII letters only. hex,
 * base64 and json also take bytes (the format raw); base64 takes both alphabets of RFC 4648,
 * padding is optional, and nothing else may stand in it. Of json_or_text and binary over the same
 * bytes at most one is not null: together they keep a payload of any kind.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_FILTERS_H
#define MQTT2PG_MAP_FILTERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/outcome.h"
#include "core/value.h"

enum filter_argument {
    FILTER_NO_ARGUMENT,
    FILTER_NUMBER,
    FILTER_INTEGER, /* of at most three digits */
    FILTER_CONSTANT,
};

struct filter {
    const char *name;
    enum filter_argument argument;
    bool takes_null;  /* else a null passes untouched */
    const char *type; /* inferred column type of its result, or NULL: unchanged */
    const char *help; /* one line */
    /* OUTCOME_REJECT with a reason that names the value but not the filter. `argument` is of the
     * kind that stands above. */
    enum outcome (*apply)(struct value *value, const struct value *argument, struct arena *arena,
                          struct error *error);
};

extern const struct filter filters[];
extern const size_t filter_count;

const struct filter *filter_find(struct slice name);

#endif
