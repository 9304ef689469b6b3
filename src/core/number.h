/*
 * number: parses the text of a decimal number, and converts it exactly. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_NUMBER_H
#define MQTT2PG_CORE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"

/* ±integer.fraction × 10^exponent. The slices borrow the text and hold digits only; not both are
 * empty. */
struct number {
    bool negative;
    struct slice integer;
    struct slice fraction;
    int32_t exponent; /* stops at ±NUMBER_EXPONENT_MAX */
};

/* INT_MAX / 2, where numeric_in() gives up. */
#define NUMBER_EXPONENT_MAX 1073741823

/* Why a number is no value of a type. */
enum number_fit { NUMBER_FITS, NUMBER_HAS_FRACTION, NUMBER_OUT_OF_RANGE };

/* Parses JSON's numbers and PostgreSQL's, which may have a leading "+", leading zeros, ".5" and
 * "5.". */
bool number_parse(struct slice text, struct number *number);

bool number_is_zero(const struct number *number);

/* The digits of integer and fraction one behind the other: how many, and digit `i` from the
 * left. */
static inline size_t number_digit_count(const struct number *number)
{
    return number->integer.length + number->fraction.length;
}

static inline char number_digit(const struct number *number, size_t i)
{
    size_t whole = number->integer.length;
    return i < whole ? number->integer.data[i] : number->fraction.data[i - whole];
}

/* The first digit that is no zero: *first is its index, *place the power of ten that it counts (0:
 * the ones, -1: the tenths). False for zero. */
bool number_first_digit(const struct number *number, size_t *first, int64_t *place);

enum number_fit number_to_int64(const struct number *number, int64_t *integer);

/* From `text` in number_parse()'s grammar, correctly rounded to float8 or float4.
 * NUMBER_OUT_OF_RANGE beyond the largest finite one and where a number that is not zero would
 * become zero: float8in() refuses the same. Needs LC_NUMERIC "C". */
enum number_fit number_to_float8(struct slice text, struct arena *arena, double *real);
enum number_fit number_to_float4(struct slice text, struct arena *arena, double *real);

#endif
