/*
 * Binary form, big-endian int16 each: number of digits, weight, sign, scale, then digits of base
 * 10,000.
 *
 *   1234567.89  →  4 digits  weight 1  sign 0  scale 2   0123 4567 8900
 *                                 └ 10,000^1 is the unit of the first digit
 *
 * The scale must not be smaller than the number of decimals that are sent: numeric_recv() would
 * silently cut the rest.
 *
 * A place p is the digit of 10^p: 0 the ones, -1 the tenths.
 *
 * numeric_fits() only checks, numeric_format() rounds and prints, numeric_append_binary() turns a
 * printed number into groups of four digits. They exchange texts, so a number is never in a machine
 * format that could lose digits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "row/numeric.h"

#include <assert.h>

#include "base/ascii.h"

enum { GROUP_DIGITS = 4 };
enum { SIGN_POSITIVE = 0x0000, SIGN_NEGATIVE = 0x4000 };
enum { SIGN_NAN = 0xC000, SIGN_INFINITE = 0xD000, SIGN_MINUS_INFINITE = 0xF000 };
enum { TYPMOD_HEADER = 4 };

/* How many digits stand before the decimal point, written without exponent; may be negative. */
static int64_t point_of(const struct number *number)
{
    return (int64_t) number->integer.length + number->exponent;
}

/* The digit at a place; 0 on both sides of the digits that were written. */
static char digit_at(const struct number *number, int64_t place)
{
    int64_t index = point_of(number) - 1 - place;
    bool written = index >= 0 && index < (int64_t) number_digit_count(number);
    return written ? number_digit(number, (size_t) index) : '0';
}

/* The place of the first digit that is not 0; INT64_MIN for zero. */
static int64_t highest_place(const struct number *number)
{
    size_t first;
    int64_t place;
    return number_first_digit(number, &first, &place) ? place : INT64_MIN;
}

/* Decimals as written: "1.50" has two, "1e-3" three. */
static int64_t scale_of(const struct number *number)
{
    int64_t scale = (int64_t) number->fraction.length - number->exponent;
    return scale > 0 ? scale : 0;
}

/* numeric_in() refuses exponents of this size whatever the digits, even 0. */
static bool exponent_fits(const struct number *number)
{
    return number->exponent < NUMBER_EXPONENT_MAX && number->exponent > -NUMBER_EXPONENT_MAX;
}

bool numeric_fits(const struct number *number)
{
    return exponent_fits(number) && scale_of(number) <= NUMERIC_SCALE_MAX &&
           highest_place(number) < NUMERIC_INTEGER_DIGITS_MAX;
}

struct rounding {
    int64_t scale;       /* decimals that are kept; negative: zeros before the point */
    int64_t highest_max; /* place of the highest digit that is allowed */
};

/* What a column with this typmod keeps. The typmod is ((precision << 16) | scale) + 4; the scale
 * may be negative since PostgreSQL 15. */
static struct rounding rounding_of(const struct number *number, int32_t typmod)
{
    if (typmod < 0) {
        return (struct rounding){scale_of(number), NUMERIC_INTEGER_DIGITS_MAX - 1};
    }
    uint32_t bits = (uint32_t) typmod - TYPMOD_HEADER;
    int32_t scale = (int32_t) ((bits & 0x7ff) ^ 1024) - 1024; /* 11 bits with sign */
    return (struct rounding){scale, (int32_t) (bits >> 16) - scale - 1};
}

/* Adds one to the last digit; digits[-1] takes the carry. Where the first digit now stands. */
static char *increment(char *digits, size_t length)
{
    assert(length > 0);
    char *first = digits;
    for (char *at = digits + length - 1;; at--) {
        if (at < digits) {
            *at = '1';
            return at;
        }
        if (*at != '9') {
            ++*at;
            return first;
        }
        *at = '0';
    }
}

/* The digits of the places from `highest` down to -scale, rounded, with room for a sign and a carry
 * in front. */
static char *round_digits(const struct number *number, int64_t highest, int64_t scale,
                          struct arena *arena, size_t *length)
{
    assert(highest >= -scale);
    size_t kept = (size_t) (highest + scale + 1);
    char *digits = (char *) arena_alloc(arena, kept + 3) + 2;
    for (size_t i = 0; i < kept; i++) {
        digits[i] = digit_at(number, highest - (int64_t) i);
    }
    *length = kept;
    if (digit_at(number, -scale - 1) >= '5') {
        char *first = increment(digits, kept);
        *length += (size_t) (digits - first);
        digits = first;
    }
    return digits;
}

/* Has rounding left nothing? */
static bool is_all_zeros(const char *digits, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (digits[i] != '0') {
            return false;
        }
    }
    return true;
}

/* Puts the point before the last `scale` digits, or zeros behind all of them where the scale is
 * negative. */
static struct slice place_point(const char *digits, size_t length, int64_t scale, bool negative,
                                struct arena *arena)
{
    assert(scale <= 0 || (size_t) scale <= length);
    size_t zeros = scale < 0 ? (size_t) -scale : 0;
    size_t decimals = scale > 0 ? (size_t) scale : 0;
    char *text = arena_alloc(arena, length + zeros + 2);
    size_t used = 0;
    if (negative) {
        text[used++] = '-';
    }
    size_t whole = length - decimals;
    memcpy(text + used, digits, whole);
    memset(text + used + whole, '0', zeros);
    used += whole + zeros;
    if (decimals > 0) {
        text[used++] = '.';
        memcpy(text + used, digits + whole, decimals);
        used += decimals;
    }
    return slice_make(text, used);
}

enum number_fit numeric_format(const struct number *number, int32_t typmod, struct arena *arena,
                               struct slice *text)
{
    struct rounding rounding = rounding_of(number, typmod);
    int64_t highest = highest_place(number);
    if (!exponent_fits(number) || rounding.scale > NUMERIC_SCALE_MAX ||
        highest >= NUMERIC_INTEGER_DIGITS_MAX || highest > rounding.highest_max) {
        return NUMBER_OUT_OF_RANGE;
    }
    /* At least the ones, and the lowest place that is kept. */
    int64_t lowest = -rounding.scale;
    int64_t first = highest > 0 ? highest : 0;
    first = first > lowest ? first : lowest;

    size_t length;
    char *digits = round_digits(number, first, rounding.scale, arena, &length);
    bool zero = is_all_zeros(digits, length);
    if (zero && rounding.scale < 0) {
        *text = slice_make("0", 1);
        return NUMBER_FITS;
    }
    /* Rounding up may have made one digit more than the column takes. */
    size_t leading = 0;
    while (leading < length && digits[leading] == '0') {
        leading++;
    }
    int64_t highest_now = (int64_t) (length - leading) - rounding.scale - 1;
    if (!zero && highest_now > rounding.highest_max) {
        return NUMBER_OUT_OF_RANGE;
    }
    *text = place_point(digits, length, rounding.scale, number->negative && !zero, arena);
    return NUMBER_FITS;
}

struct numeric_header {
    size_t groups;
    int32_t weight;
    uint16_t sign;
    size_t scale;
};

/* numeric_send(): four numbers of 16 bits. */
static void append_header(struct buf *out, struct numeric_header header)
{
    assert(header.groups <= UINT16_MAX && header.scale <= NUMERIC_SCALE_MAX);
    buf_append_be16(out, (uint16_t) header.groups);
    buf_append_be16(out, (uint16_t) header.weight);
    buf_append_be16(out, header.sign);
    buf_append_be16(out, (uint16_t) header.scale);
}

/* NaN and the infinities have no digits; false for a text with digits. */
static bool append_special(struct buf *out, struct slice text)
{
    assert(text.length > 0);
    char last = text.data[text.length - 1];
    if (ascii_is_digit(last)) {
        return false;
    }
    uint16_t sign = text.data[0] == 'N'   ? SIGN_NAN
                    : text.data[0] == '-' ? SIGN_MINUS_INFINITE
                                          : SIGN_INFINITE;
    append_header(out, (struct numeric_header){.sign = sign});
    return true;
}

/* The digit `index` places behind the start, where a virtual 0 stands before the start and behind
 * the end. */
static unsigned digit_or_zero(struct slice digits, int64_t index)
{
    bool inside = index >= 0 && index < (int64_t) digits.length;
    return inside ? (unsigned) (digits.data[index] - '0') : 0;
}

/* So many groups of four digits each, from the digit `start` on, which may lie before the first
 * one. */
static void append_groups(struct buf *out, struct slice digits, int64_t start, size_t groups)
{
    for (size_t i = 0; i < groups; i++) {
        unsigned group = 0;
        for (int k = 0; k < GROUP_DIGITS; k++, start++) {
            group = group * 10 + digit_or_zero(digits, start);
        }
        buf_append_be16(out, (uint16_t) group);
    }
}

/* Leading and trailing groups of zeros may be sent: numeric_recv() strips them. */
void numeric_append_binary(struct buf *out, struct slice text)
{
    if (append_special(out, text)) {
        return;
    }
    bool negative = text.data[0] == '-';
    struct slice whole = slice_make(text.data + negative, text.length - negative);
    struct slice decimals = {NULL, 0};
    const char *point = memchr(whole.data, '.', whole.length);
    if (point != NULL) {
        decimals = slice_make(point + 1, (size_t) (whole.data + whole.length - point - 1));
        whole.length = (size_t) (point - whole.data);
    }
    size_t whole_groups = (whole.length + GROUP_DIGITS - 1) / GROUP_DIGITS;
    size_t decimal_groups = (decimals.length + GROUP_DIGITS - 1) / GROUP_DIGITS;
    append_header(out, (struct numeric_header){
                           .groups = whole_groups + decimal_groups,
                           .weight = (int32_t) whole_groups - 1,
                           .sign = negative ? SIGN_NEGATIVE : SIGN_POSITIVE,
                           .scale = decimals.length,
                       });
    int64_t padding = (int64_t) (whole_groups * GROUP_DIGITS - whole.length);
    append_groups(out, whole, -padding, whole_groups);
    append_groups(out, decimals, 0, decimal_groups);
}
