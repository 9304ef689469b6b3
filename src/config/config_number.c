/*
 * Numbers have libconfig's grammar, so that libconfig reads the same value from the token: "010" is
 * ten and not eight, "0x10" sixteen, "5L" five; "1." and ".5" are reals.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config/config_number.h"

#include <assert.h>

#include "base/ascii.h"

/* How many digits follow each other from index `at` on. */
static size_t count_digits(struct slice text, size_t at, bool hex)
{
    size_t start = at;
    while (at < text.length &&
           (hex ? ascii_hex_digit(text.data[at]) >= 0 : ascii_is_digit(text.data[at]))) {
        at++;
    }
    return at - start;
}

/* The length of the suffix "L" or "LL", by which libconfig marks integers of 64 bits. */
static size_t suffix_length(struct slice text, size_t at)
{
    return config_char_at(text, at) != 'L' ? 0 : config_char_at(text, at + 1) != 'L' ? 1 : 2;
}

/* The length of an exponent such as "e+10" at index `at`, 0 when there is none. */
static size_t exponent_length(struct slice text, size_t at)
{
    if (config_char_at(text, at) != 'e' && config_char_at(text, at) != 'E') {
        return 0;
    }
    size_t sign = config_char_at(text, at + 1) == '+' || config_char_at(text, at + 1) == '-';
    size_t digits = count_digits(text, at + 1 + sign, false);
    return digits == 0 ? 0 : 1 + sign + digits;
}

size_t config_number_length(struct slice text, enum token_type *type)
{
    *type = TOKEN_INTEGER;
    if (config_char_at(text, 0) == '0' &&
        (config_char_at(text, 1) == 'x' || config_char_at(text, 1) == 'X')) {
        size_t digits = count_digits(text, 2, true);
        if (digits > 0) {
            return 2 + digits + suffix_length(text, 2 + digits);
        }
    }
    size_t sign = config_char_at(text, 0) == '+' || config_char_at(text, 0) == '-';
    size_t whole = count_digits(text, sign, false);
    size_t at = sign + whole;
    size_t fraction = config_char_at(text, at) == '.' ? count_digits(text, at + 1, false) : 0;
    if (whole + fraction == 0) {
        return 0;
    }
    if (config_char_at(text, at) == '.') {
        *type = TOKEN_REAL;
        at += 1 + fraction;
        at += exponent_length(text, at);
        assert(at <= text.length);
        return at;
    }
    size_t exponent = exponent_length(text, at);
    if (exponent > 0) {
        *type = TOKEN_REAL;
        return at + exponent;
    }
    return at + suffix_length(text, at);
}
