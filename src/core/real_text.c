/* SPDX-License-Identifier: MIT */
#include "core/real_text.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/real_digits.h"

enum { FLOAT8_PLACES_MAX = 19, FLOAT4_PLACES_MAX = 10 };

static const double powers[FLOAT8_PLACES_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,
                                                     1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13,
                                                     1e14, 1e15, 1e16, 1e17, 1e18, 1e19};

/* `whole` / 10^places as "-12.345". `whole` has at most 15 digits, so that with 19 places the text
 * has 22 bytes. */
static size_t write_decimal(char *out, bool negative, uint64_t whole, int places)
{
    char text[REAL_TEXT_BYTES];
    char *at = text + sizeof(text);
    int digits = 0;
    for (; whole > 0 || digits <= places; digits++) {
        if (digits == places && places > 0) {
            *--at = '.';
        }
        *--at = (char) ('0' + whole % 10);
        whole /= 10;
    }
    if (negative) {
        *--at = '-';
    }
    assert(at >= text);
    size_t length = (size_t) (text + sizeof(text) - at);
    memcpy(out, at, length);
    return length;
}

/*
 * The usual case, without printf and strtod: an integer below 10^15 (10^6 for float4) divided by a
 * power of ten is correctly rounded. So a decimal of so few digits whose quotient is the number
 * reads back as the number, and no other decimal of so few digits does. Returns 0 when the number
 * is not such a quotient.
 */
static size_t write_short(char *out, double real, bool single)
{
    double magnitude = fabs(real);
    double limit = single ? 1e6 : 1e15;
    int most = single ? FLOAT4_PLACES_MAX : FLOAT8_PLACES_MAX;
    if (magnitude >= limit || (magnitude < 1e-4 && magnitude != 0)) {
        return 0;
    }
    for (int places = 0; places <= most; places++) {
        /* Rounded to the nearest integer; which way a half goes does not matter, since `back` has
         * the last word. */
        double whole = (double) (int64_t) (magnitude * powers[places] + 0.5);
        if (whole >= limit) {
            return 0;
        }
        double back =
            single ? (double) ((float) whole / (float) powers[places]) : whole / powers[places];
        if (back == magnitude) {
            return write_decimal(out, signbit(real), (uint64_t) whole, places);
        }
    }
    return 0;
}

/* Is "d.ddde±xx" exactly the middle between the number and its neighbour? Such a text reads as the
 * even one of the two; PostgreSQL does not rely on that and prints more digits. */
static bool is_middle(const char *text, double real, bool single)
{
    long double said = strtold(text, NULL);
    double beyond = said > real ? (double) INFINITY : -(double) INFINITY;
    double neighbour =
        single ? (double) nextafterf((float) real, (float) beyond) : nextafter(real, beyond);
    long double middle = ((long double) real + neighbour) / 2;
    if (said != middle) {
        return false;
    }
    /* A long double sees no further than a few bits behind a double: the digits tell. */
    char digits[64];
    snprintf(digits, sizeof(digits), "%.40Le", middle);
    size_t mantissa = strcspn(text, "e");
    return strncmp(text, digits, mantissa) == 0 &&
           digits[mantissa + strspn(digits + mantissa, ".0")] == 'e';
}

static bool reads_back(const char *text, double real, bool single)
{
    bool same = single ? strtof(text, NULL) == (float) real : strtod(text, NULL) == real;
    return same && !is_middle(text, real, single);
}

/* "d.ddde±xx" with the fewest digits, and how many. */
static int shortest_form(double real, bool single, char *text, size_t size)
{
    int most = single ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG; /* always enough */
    bool normal = fabs(real) >= (single ? (double) FLT_MIN : DBL_MIN);
    int digits = !normal ? 1 : single ? FLT_DIG : DBL_DIG; /* fewer are found by dropping zeros */
    for (;; digits++) {
        snprintf(text, size, "%.*e", digits - 1, real);
        if (digits == most || reads_back(text, real, single)) {
            return digits;
        }
    }
}

static size_t write_shortest(char *out, double real, bool single)
{
    char form[40];
    int digits = shortest_form(real, single, form, sizeof(form));
    const char *mark = strchr(form, 'e');
    int exponent = (int) strtol(mark + 1, NULL, 10);
    if (exponent >= -4 && exponent < (single ? 6 : 15)) {
        int decimals = digits - 1 - exponent;
        snprintf(form, sizeof(form), "%.*f", decimals > 0 ? decimals : 0, real);
        mark = form + strlen(form);
    }
    const char *end = mark;
    if (memchr(form, '.', (size_t) (mark - form)) != NULL) {
        while (end[-1] == '0') {
            end--;
        }
        end -= end[-1] == '.';
    }
    size_t length = (size_t) (end - form);
    size_t rest = strlen(mark);
    assert(length + rest <= REAL_TEXT_BYTES);
    memcpy(out, form, length);
    memcpy(out + length, mark, rest);
    return length + rest;
}

/* Writes the digits with the point behind the first `whole` of them; where `whole` is 0 or
 * negative, with "0." and zeros in front. */
static char *put_digits(char *at, const char *digits, int count, int whole)
{
    if (whole <= 0) {
        *at++ = '0';
        *at++ = '.';
        memset(at, '0', (size_t) -whole);
        at += -whole;
    }
    for (int i = 0; i < count || i < whole; i++) {
        if (i == whole && i > 0) {
            *at++ = '.';
        }
        *at++ = i < count ? digits[i] : '0';
    }
    return at;
}

static char *put_exponent(char *at, int exponent)
{
    unsigned magnitude = (unsigned) abs(exponent);
    assert(magnitude <= 324);
    *at++ = 'e';
    *at++ = exponent < 0 ? '-' : '+';
    if (magnitude >= 100) {
        *at++ = (char) ('0' + magnitude / 100);
        magnitude %= 100;
    }
    *at++ = (char) ('0' + magnitude / 10);
    *at++ = (char) ('0' + magnitude % 10);
    return at;
}

/* As write_shortest(), much faster; 0 where real_digits has no answer. */
static size_t write_exact(char *out, double real, bool single)
{
    struct real_digits number;
    if (real == 0 || !real_digits_shortest(fabs(real), single, &number)) {
        return 0;
    }
    char text[24];
    char *end = text + sizeof(text);
    char *digits = end;
    for (uint64_t rest = number.digits; rest > 0; rest /= 10) {
        *--digits = (char) ('0' + rest % 10);
    }
    int count = (int) (end - digits);
    int exponent = number.exponent + count - 1; /* with the point behind the first digit */
    bool plain = exponent >= -4 && exponent < (single ? 6 : 15);
    char *at = out;
    if (signbit(real)) {
        *at++ = '-';
    }
    at = put_digits(at, digits, count, plain ? exponent + 1 : 1);
    at = plain ? at : put_exponent(at, exponent);
    assert(at - out <= REAL_TEXT_BYTES);
    return (size_t) (at - out);
}

size_t real_write_text(char out[REAL_TEXT_BYTES], double real, bool single)
{
    if (!isfinite(real)) {
        struct slice word = slice_of(isnan(real) ? "NaN" : real < 0 ? "-Infinity" : "Infinity");
        memcpy(out, word.data, word.length);
        return word.length;
    }
    size_t length = write_short(out, real, single);
    length = length > 0 ? length : write_exact(out, real, single);
    return length > 0 ? length : write_shortest(out, real, single);
}

void real_append_text(struct buf *out, double real, bool single)
{
    char text[REAL_TEXT_BYTES];
    buf_append(out, text, real_write_text(text, real, single));
}
