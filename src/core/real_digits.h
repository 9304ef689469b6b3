/*
 * real_digits: the fewest decimal digits that read back as the same float, by exact integers of 128
 * bits. Covers the magnitudes that measurements and times have, 10^-10 to 10^19; for others the
 * caller uses printf() and strtod(), which take about twenty times as long, and may give a power of
 * two one digit more than PostgreSQL does (2^-44).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_REAL_DIGITS_H
#define MQTT2PG_CORE_REAL_DIGITS_H

#include <stdbool.h>
#include <stdint.h>

/* The number is digits × 10^exponent; `digits` does not end in a zero. */
struct real_digits {
    uint64_t digits;
    int exponent;
};

/* `magnitude` is finite and positive; `single`: the neighbours are those of a float4. False outside
 * of the range. Among the decimals of the same number of digits the nearest one, in the middle the
 * even one, as float8out() of PostgreSQL has it (extra_float_digits 1). */
bool real_digits_shortest(double magnitude, bool single, struct real_digits *out);

#endif
