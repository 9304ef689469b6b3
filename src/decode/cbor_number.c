/*
 * C has no type for half floats, and CBOR's bigfloats and decimal fractions have no text. This file
 * makes the text of exactly the same number.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/cbor_number.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXPONENT_MAX = 100000 };   /* beyond numeric's range of digits */
enum { PLAIN_DECIMALS_MAX = 38 }; /* more are written with an exponent */

double cbor_real(const struct cbor_head *head)
{
    assert(head->major == CBOR_SIMPLE &&
           (head->information == CBOR_SINGLE || head->information == CBOR_DOUBLE));
    return binary_real_of_bits(head->argument, head->information == CBOR_SINGLE);
}

/* --- half floats ------------------------------------------------------------------------------ */

/* 1 bit sign, 5 bits exponent, 10 bits fraction. */
static double half_value(uint16_t bits)
{
    int exponent = bits >> 10 & 31; /* 0: subnormal, 31: infinity or NaN, else 2^(exponent - 15) */
    int fraction = bits & 0x3ff;
    double magnitude = exponent == 0    ? ldexp(fraction, -24)
                       : exponent == 31 ? (fraction == 0 ? (double) INFINITY : (double) NAN)
                                        : ldexp(fraction + 1024, exponent - 25);
    return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

/* The decimals that read back as the same half lie between the middles to its neighbours: of 10^4,
 * 10^3, … 10^-8, which is below the smallest half, the first unit with a multiple there is the
 * answer. The result is a double whose own shortest text is that decimal. */
double cbor_half_shortest(uint16_t bits)
{
    static const double units[] = {1e4, 1e3, 1e2, 1e1, 1};
    static const double parts[] = {1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};
    double exact = half_value(bits);
    double magnitude = fabs(exact);
    if (!isfinite(exact) || magnitude == 0) {
        return exact;
    }
    uint16_t positive = bits & 0x7fff;
    double below = half_value((uint16_t) (positive - 1));
    double above = half_value((uint16_t) (positive + 1));
    double low = (below + magnitude) / 2;
    double high = isfinite(above) ? (above + magnitude) / 2 : magnitude + (magnitude - low);
    assert(low < magnitude && magnitude < high);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        double said = rint(magnitude / units[i]) * units[i];
        if (said > low && said < high) {
            return copysign(said, exact);
        }
    }
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        /* Correctly rounded, so it is the double that the decimal reads as. */
        double said = rint(magnitude * parts[i]) / parts[i];
        if (said > low && said < high) {
            return copysign(said, exact);
        }
    }
    return exact;
}

/* --- times ------------------------------------------------------------------------------------ */

/* A float has 53 bits: for times of today that is a quarter of a microsecond, rounded to the
 * nearest one. */
bool cbor_epoch(const struct cbor_head *head, int64_t *time_us)
{
    if (head->major == CBOR_UNSIGNED || head->major == CBOR_NEGATIVE) {
        int64_t seconds =
            head->major == CBOR_NEGATIVE ? -1 - (int64_t) head->argument : (int64_t) head->argument;
        return head->argument <= INT64_MAX && binary_time(seconds, 0, time_us);
    }
    if (head->major != CBOR_SIMPLE || head->information < CBOR_HALF ||
        head->information > CBOR_DOUBLE) {
        return false;
    }
    double seconds =
        head->information == CBOR_HALF ? half_value((uint16_t) head->argument) : cbor_real(head);
    long double microseconds = rintl((long double) seconds * 1000000);
    if (!isfinite(seconds) || fabsl(microseconds) > 9.2e18L) {
        return false;
    }
    *time_us = (int64_t) microseconds;
    return true;
}

/* --- big numbers ------------------------------------------------------------------------------ */

/* Reads a big-endian number of any length; zeros in front do not count towards the 128 bits. */
bool cbor_bignum(struct slice bytes, unsigned __int128 *magnitude)
{
    while (bytes.length > 0 && bytes.data[0] == '\0') {
        bytes = slice_make(bytes.data + 1, bytes.length - 1);
    }
    *magnitude = 0;
    for (size_t i = 0; i < bytes.length; i++) {
        *magnitude = *magnitude << 8 | (unsigned char) bytes.data[i];
    }
    return bytes.length <= sizeof(*magnitude);
}

/* False beyond ±EXPONENT_MAX. */
static bool small(struct cbor_integer integer, int *number)
{
    if (integer.magnitude >= EXPONENT_MAX) {
        return false;
    }
    assert(integer.magnitude < EXPONENT_MAX);
    *number = integer.negative ? -1 - (int) integer.magnitude : (int) integer.magnitude;
    return true;
}

/* "-1.23" of "-123" and -2. */
static struct slice with_point(struct arena *arena, struct slice digits, size_t decimals)
{
    bool negative = digits.data[0] == '-';
    struct slice plain = slice_make(digits.data + negative, digits.length - negative);
    size_t zeros = plain.length > decimals ? 0 : decimals + 1 - plain.length;
    size_t whole = plain.length + zeros - decimals;
    char *text = arena_alloc(arena, plain.length + zeros + 2);
    char *at = text;
    if (negative) {
        *at++ = '-';
    }
    for (size_t i = 0; i < plain.length + zeros; i++) {
        if (i == whole) {
            *at++ = '.';
        }
        *at++ = i < zeros ? '0' : plain.data[i - zeros];
    }
    assert(at == text + negative + plain.length + zeros + 1); /* the point */
    return slice_make(text, (size_t) (at - text));
}

/* Plain up to 38 decimals, which numeric columns and people read; beyond that with an exponent, so
 * that [-100000, 1] does not become a text of 100,000 zeros. */
static struct slice scaled(struct arena *arena, struct slice digits, int exponent)
{
    if (exponent == 0) {
        return digits;
    }
    if (exponent < 0 && -exponent <= PLAIN_DECIMALS_MAX) {
        return with_point(arena, digits, (size_t) -exponent);
    }
    return arena_printf(arena, "%.*se%d", SLICE_ARGS(digits), exponent);
}

/* Exact: the digits of the mantissa stay, and only the point moves. */
bool cbor_decimal(struct arena *arena, struct cbor_integer exponent, struct cbor_integer mantissa,
                  struct slice *text)
{
    int power;
    if (!small(exponent, &power)) {
        return false;
    }
    *text = scaled(arena, binary_digits(arena, mantissa.magnitude, mantissa.negative), power);
    return true;
}

/* m × 2^-k is m × 5^k × 10^-k, so each bigfloat has finitely many decimals. What needs more than
 * 128 bits on the way is rejected: 2^-55 is the smallest power with a mantissa of one bit. */
bool cbor_bigfloat(struct arena *arena, struct cbor_integer exponent, struct cbor_integer mantissa,
                   struct slice *text)
{
    int power;
    unsigned __int128 magnitude = mantissa.magnitude;
    if (!small(exponent, &power) ||
        (mantissa.negative && __builtin_add_overflow(magnitude, 1U, &magnitude))) {
        return false;
    }
    unsigned factor = power < 0 ? 5 : 2;
    for (int i = 0; i < abs(power) && magnitude != 0; i++) {
        if (__builtin_mul_overflow(magnitude, (unsigned __int128) factor, &magnitude)) {
            return false;
        }
    }
    bool negative = mantissa.negative && magnitude != 0;
    struct slice digits = binary_digits(arena, magnitude - negative, negative);
    *text = scaled(arena, digits, power < 0 ? power : 0);
    return true;
}
