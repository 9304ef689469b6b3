/*
 * real_digits: the fewest decimal digits that read back as the same float, by integers of 128 bits.
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

/* `magnitude` is finite and positive; `single`: its neighbours are those of a float4. Of several
 * decimals with the fewest digits, gives the nearest, and in the middle between two the even one,
 * as PostgreSQL's float8out() does (extra_float_digits 1). False where 128 bits do not suffice,
 * which does not happen to random numbers: the caller then uses printf() and strtod(), which take
 * twenty times as long and may give a power of two one digit more. */
bool real_digits_shortest(double magnitude, bool single, struct real_digits *out);

#endif
