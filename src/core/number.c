/* SPDX-License-Identifier: MIT */
#include "core/number.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/ascii.h"

static struct slice take_digits(const char **at, const char *end)
{
    const char *start = *at;
    while (*at < end && ascii_is_digit(**at)) {
        ++*at;
    }
    return slice_make(start, (size_t) (*at - start));
}

static bool take_exponent(const char **at, const char *end, int32_t *exponent)
{
    bool negative = *at < end && **at == '-';
    if (negative || (*at < end && **at == '+')) {
        ++*at;
    }
    struct slice digits = take_digits(at, end);
    int64_t value = 0;
    for (size_t i = 0; i < digits.length && value < NUMBER_EXPONENT_MAX; i++) {
        value = value * 10 + (digits.data[i] - '0');
    }
    value = value < NUMBER_EXPONENT_MAX ? value : NUMBER_EXPONENT_MAX;
    *exponent = (int32_t) (negative ? -value : value);
    assert(*exponent >= -NUMBER_EXPONENT_MAX && *exponent <= NUMBER_EXPONENT_MAX);
    return digits.length > 0;
}

bool number_parse(struct slice text, struct number *number)
{
    const char *at = text.data;
    const char *end = text.data + text.length;
    bool negative = text.length > 0 && *at == '-';
    if (negative || (text.length > 0 && *at == '+')) {
        at++;
    }
    *number = (struct number){.negative = negative, .integer = take_digits(&at, end)};
    if (at < end && *at == '.') {
        at++;
        number->fraction = take_digits(&at, end);
    }
    if (number->integer.length + number->fraction.length == 0) {
        return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (!take_exponent(&at, end, &number->exponent)) {
            return false;
        }
    }
    return at == end;
}

static bool all_zeros(struct slice digits)
{
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.data[i] != '0') {
            return false;
        }
    }
    return true;
}

bool number_is_zero(const struct number *number)
{
    return all_zeros(number->integer) && all_zeros(number->fraction);
}

bool number_first_digit(const struct number *number, size_t *first, int64_t *place)
{
    size_t total = number_digit_count(number);
    size_t i = 0;
    while (i < total && number_digit(number, i) == '0') {
        i++;
    }
    assert(i <= total);
    *first = i;
    *place = number->exponent + (int64_t) number->integer.length - 1 - (int64_t) i;
    return i < total;
}

/* Adds `digits`, of which only the first `wanted` may be other than 0. */
static enum number_fit add_digits(struct slice digits, int64_t wanted, uint64_t *magnitude)
{
    for (size_t i = 0; i < digits.length; i++) {
        uint64_t digit = (uint64_t) (digits.data[i] - '0');
        assert(digit <= 9);
        if ((int64_t) i >= wanted) {
            if (digit != 0) {
                return NUMBER_HAS_FRACTION;
            }
        } else if (__builtin_mul_overflow(*magnitude, 10, magnitude) ||
                   __builtin_add_overflow(*magnitude, digit, magnitude)) {
            return NUMBER_OUT_OF_RANGE;
        }
    }
    return NUMBER_FITS;
}

enum number_fit number_to_int64(const struct number *number, int64_t *integer)
{
    uint64_t magnitude = 0;
    int64_t wanted =
        (int64_t) number->integer.length + number->exponent; /* digits before the point */
    int64_t wanted_fraction = wanted - (int64_t) number->integer.length;
    enum number_fit fit = add_digits(number->integer, wanted, &magnitude);
    if (fit == NUMBER_FITS) {
        fit = add_digits(number->fraction, wanted_fraction, &magnitude);
    }
    if (fit != NUMBER_FITS) {
        return fit;
    }
    int64_t zeros = wanted_fraction - (int64_t) number->fraction.length;
    for (; zeros > 0 && magnitude != 0; zeros--) {
        if (__builtin_mul_overflow(magnitude, 10, &magnitude)) {
            return NUMBER_OUT_OF_RANGE;
        }
    }
    if (magnitude > (uint64_t) INT64_MAX + number->negative) {
        return NUMBER_OUT_OF_RANGE;
    }
    *integer = (int64_t) (number->negative ? 0 - magnitude : magnitude);
    return NUMBER_FITS;
}

/* All digits as one integer, where they are few enough for one. */
static bool small_mantissa(const struct number *number, uint64_t *mantissa)
{
    if (number->integer.length + number->fraction.length > 19) {
        return false;
    }
    *mantissa = 0; /* 19 digits stay below 2^64 */
    for (size_t i = 0; i < number->integer.length; i++) {
        *mantissa = *mantissa * 10 + (uint64_t) (number->integer.data[i] - '0');
    }
    for (size_t i = 0; i < number->fraction.length; i++) {
        *mantissa = *mantissa * 10 + (uint64_t) (number->fraction.data[i] - '0');
    }
    return true;
}

/*
 * The fast way (W. D. Clinger, "How to read floating point numbers accurately", 1990): an integer
 * and a power of ten that are both exact in the format give the correctly rounded result by one
 * division or multiplication, where arithmetic itself is done in that format.
 */
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD == 0
enum { FAST_FLOAT8_POWER_MAX = 22, FAST_FLOAT4_POWER_MAX = 10 };

static bool fast_float8(const struct number *number, double *real)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    uint64_t mantissa;
    int64_t power = number->exponent - (int64_t) number->fraction.length;
    if (power < -FAST_FLOAT8_POWER_MAX || power > FAST_FLOAT8_POWER_MAX ||
        !small_mantissa(number, &mantissa) || mantissa > UINT64_C(1) << DBL_MANT_DIG) {
        return false;
    }
    assert(mantissa <= UINT64_C(1) << DBL_MANT_DIG);
    double whole = (double) mantissa; /* exact */
    double result = power < 0 ? whole / powers[-power] : whole * powers[power];
    *real = number->negative ? -result : result;
    return true;
}

static bool fast_float4(const struct number *number, double *real)
{
    static const float powers[] = {1e0F, 1e1F, 1e2F, 1e3F, 1e4F, 1e5F,
                                   1e6F, 1e7F, 1e8F, 1e9F, 1e10F};
    uint64_t mantissa;
    int64_t power = number->exponent - (int64_t) number->fraction.length;
    if (power < -FAST_FLOAT4_POWER_MAX || power > FAST_FLOAT4_POWER_MAX ||
        !small_mantissa(number, &mantissa) || mantissa > UINT64_C(1) << FLT_MANT_DIG) {
        return false;
    }
    assert(mantissa <= UINT64_C(1) << FLT_MANT_DIG);
    float whole = (float) mantissa; /* exact */
    float result = power < 0 ? whole / powers[-power] : whole * powers[power];
    *real = (double) (number->negative ? -result : result);
    return true;
}
#else
static bool fast_float8(const struct number *number, double *real)
{
    (void) number;
    (void) real;
    return false;
}

static bool fast_float4(const struct number *number, double *real)
{
    return fast_float8(number, real);
}
#endif

static enum number_fit check_real(const struct number *number, double real)
{
    bool vanished = real == 0 && !number_is_zero(number);
    return vanished || isinf(real) ? NUMBER_OUT_OF_RANGE : NUMBER_FITS;
}

enum number_fit number_to_float8(struct slice text, struct arena *arena, double *real)
{
    struct number number;
    if (number_parse(text, &number) && fast_float8(&number, real)) {
        return NUMBER_FITS;
    }
    *real = strtod(arena_copy(arena, text).data, NULL);
    return check_real(&number, *real);
}

enum number_fit number_to_float4(struct slice text, struct arena *arena, double *real)
{
    struct number number;
    if (number_parse(text, &number) && fast_float4(&number, real)) {
        return NUMBER_FITS;
    }
    *real = (double) strtof(arena_copy(arena, text).data, NULL);
    return check_real(&number, *real);
}
