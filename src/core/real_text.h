/*
 * real_text: floats as PostgreSQL prints them.
 *
 * As few digits as read back as the same number; plain where the decimal exponent is from -4 to 14
 * (5 for float4), else with an exponent of at least two digits (float8out() with extra_float_digits
 * 1).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_REAL_TEXT_H
#define MQTT2PG_CORE_REAL_TEXT_H

#include <stdbool.h>

#include "base/buf.h"

/* The longest text is "-2.2250738585072014e-308" with 24 bytes. */
#define REAL_TEXT_BYTES 32

/* Writes the text without a NUL and returns its length. `single`: the number is a float4's. NaN and
 * the infinities are "NaN", "Infinity" and "-Infinity". */
size_t real_write_text(char out[REAL_TEXT_BYTES], double real, bool single);

void real_append_text(struct buf *out, double real, bool single);

#endif
