/*
 * decimal: exact arithmetic and comparison on decimal numbers, as JSON and PostgreSQL write them.
 * Pure.
 *
 * A decimal is a sign, up to DECIMAL_DIGITS_MAX digits and a power of ten. A result that does not
 * fit is refused, never rounded. Comparing has no such limit.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_DECIMAL_H
#define MQTT2PG_MAP_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "core/number.h"

/* As many digits as unsigned __int128 holds without exception: 10^38 < 2^128. */
#define DECIMAL_DIGITS_MAX 38

struct decimal {
    bool negative;
    unsigned __int128 digits; /* < 10^38 */
    int32_t exponent;         /* value = ±digits × 10^exponent */
};

/* From a text in number_parse()'s grammar. False: no number, or more significant digits than fit,
 * or an exponent beyond ±100,000. Zeros in front and behind are not significant: "-0.00" is 0,
 * "1500" is 15 × 10^2. */
bool decimal_parse(struct slice text, struct decimal *decimal);

/* Exact results. False when they have more than DECIMAL_DIGITS_MAX digits. */
bool decimal_multiply(struct decimal left, struct decimal right, struct decimal *product);
bool decimal_add(struct decimal left, struct decimal right, struct decimal *sum);

/* Rounds to `places` digits after the point, a half away from zero as PostgreSQL's round(numeric):
 * 2.5 → 3, -2.5 → -3. Negative places round to tens, hundreds, …: 149 → 100 with -2. */
struct decimal decimal_round(struct decimal value, int places);

/* To an integer: false when it has a fraction or does not fit. */
bool decimal_to_int64(struct decimal value, int64_t *integer);

/* The largest integer that is not above it: false when that does not fit. */
bool decimal_floor(struct decimal value, int64_t *integer);

/* Numbers of any length by value: -1, 0, 1. */
int decimal_compare(const struct number *left, const struct number *right);

/* As JSON number text, plain where that is at most 40 characters ("0.001", "1500"), else with
 * exponent. */
struct slice decimal_format(struct decimal value, struct arena *arena);

#endif
