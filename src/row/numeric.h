/*
 * numeric: decimal numbers as PostgreSQL's numeric keeps them, with its limits and its rounding.
 * Pure.
 *
 * The text that numeric_format() makes is numeric_out()'s: digits and a point, no exponent, no
 * needless zero in front, as many digits behind the point as the number has ("1.50" stays "1.50"),
 * or as the column's scale says.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROW_NUMERIC_H
#define MQTT2PG_ROW_NUMERIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "core/number.h"

/* Before and behind the decimal point: the weight is an int16 of base-10,000 digits, the scale has
 * 14 bits (numeric.c). */
#define NUMERIC_INTEGER_DIGITS_MAX 131072
#define NUMERIC_SCALE_MAX 16383

/* Does a numeric without precision hold every digit of it? jsonb asks the same of its numbers. */
bool numeric_fits(const struct number *number);

/* The number as a column with this typmod keeps it (-1: unconstrained): rounded to the column's
 * scale, half away from zero, as PostgreSQL does; NUMBER_OUT_OF_RANGE when it has too many digits
 * before the point. */
enum number_fit numeric_format(const struct number *number, int32_t typmod, struct arena *arena,
                               struct slice *text);

/* numeric_send()'s form of such a text, or of "NaN", "Infinity", "-Infinity", without the field's
 * length. */
void numeric_append_binary(struct buf *out, struct slice text);

#endif
