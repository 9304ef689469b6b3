/* SPDX-License-Identifier: MIT */
#include "core/real_text.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLOAT8_PLACES_MAX = 19, FLOAT4_PLACES_MAX = 10 };

static const double powers[FLOAT8_PLACES_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,
                                                     1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13,
                                                     1e14, 1e15, 1e16, 1e17, 1e18, 1e19};

/* `whole` / 10^places. */
static void append_decimal(struct buf *out, bool negative, uint64_t whole, int places)
{
    char text[32];
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
    buf_append(out, at, (size_t) (text + sizeof(text) - at));
}

/*
 * The usual case, without printf and strtod: an integer below 10^15 (10^6 for float4) divided by a
 * power of ten is correctly rounded, so a decimal of so few digits that divides into the number is
 * what reading it gives, and no other of so few digits is.
 */
static bool append_short(struct buf *out, double real, bool single)
{
    double magnitude = fabs(real);
    double limit = single ? 1e6 : 1e15;
    int most = single ? FLOAT4_PLACES_MAX : FLOAT8_PLACES_MAX;
    if (magnitude >= limit || (magnitude < 1e-4 && magnitude != 0)) {
        return false;
    }
    for (int places = 0; places <= most; places++) {
        double whole = rint(magnitude * powers[places]);
        if (whole >= limit) {
            return false;
        }
        double back =
            single ? (double) ((float) whole / (float) powers[places]) : whole / powers[places];
        if (back == magnitude) {
            append_decimal(out, signbit(real), (uint64_t) whole, places);
            return true;
        }
    }
    return false;
}

/* Is "d.ddde±xx" exactly the middle between the number and its neighbour? From there reading goes
 * to the even one of the two, on which PostgreSQL does not rely. */
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

static void append_shortest(struct buf *out, double real, bool single)
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
    buf_append(out, form, (size_t) (end - form));
    buf_append_text(out, mark);
}

void real_append_text(struct buf *out, double real, bool single)
{
    if (!isfinite(real)) {
        buf_append_text(out, isnan(real) ? "NaN" : real < 0 ? "-Infinity" : "Infinity");
    } else if (!append_short(out, real, single)) {
        append_shortest(out, real, single);
    }
}
