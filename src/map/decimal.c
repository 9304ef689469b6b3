/*
 * Every decimal that these functions return is normalized: its last digit is not zero, and zero is
 * 0 × 10^0 without a sign. So a number has a fraction exactly when its exponent is negative, and
 * equal numbers are equal structs.
 *
 * 128 bits hold 38 digits. Multiplying and adding are tried in that width, and a result that does
 * not fit is refused; dividing happens by powers of ten only, so nothing is ever approximated.
 * Comparing works on the texts and has no limit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/decimal.h"

#include <assert.h>

enum {
    EXPONENT_MAX = 100000,
    PLAIN_CHARACTERS_MAX = 40,
};

typedef unsigned __int128 uint128;

/* 10^38, the first number that has too many digits. */
static const uint128 digits_limit =
    (uint128) UINT64_C(10000000000000000000) * UINT64_C(10000000000000000000);

/* 10^exponent, which has to fit. */
static uint128 power_of_ten(int exponent)
{
    assert(exponent >= 0 && exponent <= DECIMAL_DIGITS_MAX);
    uint128 power = 1;
    for (; exponent > 0; exponent--) {
        power *= 10;
    }
    return power;
}

/* Divides by ten when that leaves no rest. Most numbers fit into 64 bits, where dividing is ten
 * times as fast. */
static bool drop_zero(uint128 *digits)
{
    bool narrow = *digits <= UINT64_MAX;
    bool zero = narrow ? (uint64_t) *digits % 10 == 0 : *digits % 10 == 0;
    if (zero) {
        *digits = narrow ? (uint64_t) *digits / 10 : *digits / 10;
    }
    return zero;
}

/* Normalizes and checks the limits. */
static bool make(bool negative, uint128 digits, int64_t exponent, struct decimal *decimal)
{
    if (digits == 0) {
        *decimal = (struct decimal){0};
        return true;
    }
    while (drop_zero(&digits)) {
        exponent++;
    }
    if (digits >= digits_limit || exponent > EXPONENT_MAX || exponent < -EXPONENT_MAX) {
        return false;
    }
    *decimal = (struct decimal){negative, digits, (int32_t) exponent};
    assert(decimal->digits % 10 != 0);
    return true;
}

/* --- text ------------------------------------------------------------------------------------- */

/* The digits without zeros behind, shifted by *exponent; false when there are too many. */
static bool gather_digits(const struct number *number, uint128 *digits, int64_t *exponent)
{
    int zeros = 0; /* behind the last other digit */
    int count = 0;
    size_t total = number_digit_count(number);
    *exponent -= (int64_t) number->fraction.length;
    for (size_t i = 0; i < total; i++) {
        char digit = number_digit(number, i);
        zeros += count > 0;
        if (digit != '0') {
            zeros = count == 0 ? 1 : zeros;
            count += zeros;
            if (count > DECIMAL_DIGITS_MAX) {
                return false;
            }
            for (; zeros > 0; zeros--) {
                *digits *= 10;
            }
            *digits += (unsigned) (digit - '0');
        }
    }
    *exponent += zeros;
    return true;
}

bool decimal_parse(struct slice text, struct decimal *decimal)
{
    struct number number;
    if (!number_parse(text, &number)) {
        return false;
    }
    uint128 digits = 0;
    int64_t exponent = number.exponent;
    return gather_digits(&number, &digits, &exponent) &&
           make(number.negative, digits, exponent, decimal);
}

int decimal_compare(const struct number *left, const struct number *right)
{
    int64_t left_magnitude;
    int64_t right_magnitude;
    size_t at;
    size_t right_at;
    int left_sign = !number_first_digit(left, &at, &left_magnitude) ? 0 : left->negative ? -1 : 1;
    int right_sign = !number_first_digit(right, &right_at, &right_magnitude) ? 0
                     : right->negative                                       ? -1
                                                                             : 1;
    if (left_sign != right_sign || left_sign == 0) {
        return (left_sign > right_sign) - (left_sign < right_sign);
    }
    if (left_magnitude != right_magnitude) {
        return left_magnitude < right_magnitude ? -left_sign : left_sign;
    }
    size_t left_end = number_digit_count(left);
    size_t right_end = number_digit_count(right);
    for (; at < left_end || right_at < right_end; at++, right_at++) {
        char a = at < left_end ? number_digit(left, at) : '0';
        char b = right_at < right_end ? number_digit(right, right_at) : '0';
        if (a != b) {
            return a < b ? -left_sign : left_sign;
        }
    }
    return 0;
}

/* Writes the digits of `value` so that they end before `end`; returns where they begin. There is
 * room for DECIMAL_DIGITS_MAX of them. */
static const char *print_digits(uint128 value, char *end)
{
    for (; value > UINT64_MAX; value /= 10) {
        *--end = (char) ('0' + (int) (value % 10));
    }
    uint64_t rest = (uint64_t) value;
    do {
        *--end = (char) ('0' + (int) (rest % 10));
        rest /= 10;
    } while (rest > 0);
    return end;
}

/* Copies bytes to `out` and returns the place behind them, like the other put functions. */
static char *put(char *out, const char *data, int length)
{
    assert(length >= 0);
    memcpy(out, data, (size_t) length);
    return out + length;
}

/* Writes `count` zeros. */
static char *put_zeros(char *out, int count)
{
    assert(count >= 0);
    memset(out, '0', (size_t) count);
    return out + count;
}

/* `whole` of the `count` digits stand before the point: more than `count` means zeros behind them,
 * fewer than none means zeros between point and digits. */
static char *put_plain(char *out, const char *digits, int count, int whole)
{
    assert(count > 0);
    if (whole >= count) {
        return put_zeros(put(out, digits, count), whole - count);
    }
    if (whole > 0) {
        out = put(put(out, digits, whole), ".", 1);
        return put(out, digits + whole, count - whole);
    }
    return put(put_zeros(put(out, "0.", 2), -whole), digits, count);
}

/* "1.5e+20" without the plus: one digit, the point, the other digits, the power of ten. */
static char *put_scientific(char *out, const char *digits, int count, int whole)
{
    assert(count > 0);
    out = put(out, digits, 1);
    if (count > 1) {
        out = put(put(out, ".", 1), digits + 1, count - 1);
    }
    char field[12];
    int power = whole - 1;
    char *end = field + sizeof(field);
    const char *power_digits = print_digits((unsigned) (power < 0 ? -power : power), end);
    out = put(out, "e-", power < 0 ? 2 : 1);
    return put(out, power_digits, (int) (end - power_digits));
}

struct slice decimal_format(struct decimal value, struct arena *arena)
{
    char field[DECIMAL_DIGITS_MAX + 2];
    char *end = field + sizeof(field);
    const char *digits = print_digits(value.digits, end);
    int count = (int) (end - digits);
    assert(count >= 1 && count <= DECIMAL_DIGITS_MAX);
    int whole = count + value.exponent;
    int width = whole >= count ? whole : whole > 0 ? count + 1 : count - whole + 2;

    char *text = arena_alloc(arena, PLAIN_CHARACTERS_MAX + 20);
    char *out = put(text, "-", value.negative);
    out = width + value.negative <= PLAIN_CHARACTERS_MAX
              ? put_plain(out, digits, count, whole)
              : put_scientific(out, digits, count, whole);
    assert(out - text <= PLAIN_CHARACTERS_MAX + 20);
    return slice_make(text, (size_t) (out - text));
}

/* --- arithmetic ------------------------------------------------------------------------------- */

bool decimal_multiply(struct decimal left, struct decimal right, struct decimal *product)
{
    uint128 digits;
    if (__builtin_mul_overflow(left.digits, right.digits, &digits)) {
        return false;
    }
    return make(left.negative != right.negative, digits, (int64_t) left.exponent + right.exponent,
                product);
}

/* Multiplies by 10^count; false when that does not fit. */
static bool shift_digits(uint128 *digits, int64_t count)
{
    for (; count > 0 && *digits > 0; count--) {
        if (__builtin_mul_overflow(*digits, (uint128) 10, digits)) {
            return false;
        }
    }
    return true;
}

bool decimal_add(struct decimal left, struct decimal right, struct decimal *sum)
{
    if (left.digits == 0 || right.digits == 0) {
        *sum = left.digits == 0 ? right : left;
        return true;
    }
    int64_t exponent = left.exponent < right.exponent ? left.exponent : right.exponent;
    if (!shift_digits(&left.digits, left.exponent - exponent) ||
        !shift_digits(&right.digits, right.exponent - exponent)) {
        return false;
    }
    if (left.negative != right.negative) {
        bool left_larger = left.digits > right.digits;
        uint128 digits = left_larger ? left.digits - right.digits : right.digits - left.digits;
        return make(left_larger ? left.negative : right.negative, digits, exponent, sum);
    }
    uint128 digits;
    return !__builtin_add_overflow(left.digits, right.digits, &digits) &&
           make(left.negative, digits, exponent, sum);
}

struct decimal decimal_round(struct decimal value, int places)
{
    int64_t drop = -(int64_t) places - value.exponent;
    struct decimal rounded = {0};
    if (drop <= 0 || value.digits == 0) {
        return value;
    }
    if (drop > DECIMAL_DIGITS_MAX) {
        return rounded; /* less than half of the last place that is kept */
    }
    uint128 unit = power_of_ten((int) drop);
    uint128 kept = value.digits / unit;
    uint128 cut = value.digits % unit;
    kept += cut >= unit - cut;
    bool fits = make(value.negative, kept, -(int64_t) places, &rounded);
    assert(fits); /* it has fewer digits than before */
    return fits ? rounded : value;
}

/* Takes the digits behind the point away; true when all of them were zeros. */
static bool cut_fraction(struct decimal *value)
{
    bool whole = true;
    for (; value->exponent < 0 && value->digits > 0; value->exponent++) {
        if (!drop_zero(&value->digits)) {
            value->digits /= 10;
            whole = false;
        }
    }
    return whole;
}

/* To an integer, of a value without a fraction; with `below` the next integer toward minus
 * infinity. */
static bool to_int64(struct decimal value, bool below, int64_t *integer)
{
    assert(value.exponent >= 0 || value.digits == 0);
    uint128 limit = (uint128) INT64_MAX + value.negative;
    if (!shift_digits(&value.digits, value.exponent)) {
        return false;
    }
    value.digits += below;
    if (value.digits > limit) {
        return false;
    }
    uint64_t digits = (uint64_t) value.digits;
    *integer = (int64_t) (value.negative ? 0 - digits : digits);
    return true;
}

bool decimal_to_int64(struct decimal value, int64_t *integer)
{
    return cut_fraction(&value) && to_int64(value, false, integer);
}

bool decimal_floor(struct decimal value, int64_t *integer)
{
    bool whole = cut_fraction(&value);
    return to_int64(value, !whole && value.negative, integer);
}
