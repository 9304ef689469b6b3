/* SPDX-License-Identifier: MIT */
#include "core/moment_scan.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"

enum { ZONE_HOURS_MAX = 15 }; /* MAX_TZDISP_HOUR */
enum { MINUTE = 60, HOUR = 3600 };
enum { FRACTION_DIGITS_MAX = 40 }; /* more change nothing in a double */
enum { EXACT_DIGITS_MAX = 15 };    /* any so many are exact in a double */

int64_t moment_fraction(struct slice digits)
{
    static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    if (digits.length > EXACT_DIGITS_MAX) {
        char text[FRACTION_DIGITS_MAX + 3] = "0.";
        size_t length = digits.length < FRACTION_DIGITS_MAX ? digits.length : FRACTION_DIGITS_MAX;
        memcpy(text + 2, digits.data, length);
        text[length + 2] = '\0';
        return (int64_t) rint(strtod(text, NULL) * 1e6);
    }
    int64_t value = 0;
    for (size_t i = 0; i < digits.length; i++) {
        assert(ascii_is_digit(digits.data[i]));
        value = value * 10 + (digits.data[i] - '0');
    }
    return (int64_t) rint((double) value / powers[digits.length] * 1e6);
}

bool moment_take(struct moment_scan *scan, char wanted)
{
    bool found = scan->at < scan->end && *scan->at == wanted;
    scan->at += found;
    return found;
}

bool moment_digits(struct moment_scan *scan, int least, int most, int32_t *number)
{
    const char *start = scan->at;
    assert(least >= 0 && least <= most && most <= 9); /* so that it fits into 32 bits */
    *number = 0;
    while (scan->at < scan->end && ascii_is_digit(*scan->at) && scan->at - start < most) {
        *number = *number * 10 + (*scan->at++ - '0');
    }
    return scan->at - start >= least && (scan->at == scan->end || !ascii_is_digit(*scan->at));
}

/* The digits behind the point; PostgreSQL takes a point without any. */
static int64_t take_fraction(struct moment_scan *scan)
{
    struct slice digits = {scan->at, 0};
    while (scan->at < scan->end && ascii_is_digit(*scan->at)) {
        scan->at++;
        digits.length++;
    }
    int64_t microseconds = moment_fraction(digits);
    assert(microseconds >= 0 && microseconds <= SECOND_US); /* ".9999999" rounds up to one */
    return microseconds;
}

bool moment_time(struct moment_scan *scan, int digits_min, int64_t *time_us)
{
    int32_t hour;
    int32_t minute;
    int32_t second = 0;
    int64_t fraction = 0;
    assert(digits_min == 1 || digits_min == 2);
    if (!moment_digits(scan, digits_min, 2, &hour) || !moment_take(scan, ':') ||
        !moment_digits(scan, digits_min, 2, &minute) || minute >= 60) {
        return false;
    }
    if (moment_take(scan, ':')) {
        if (!moment_digits(scan, digits_min, 2, &second) || second > 60) {
            return false;
        }
        fraction = moment_take(scan, '.') ? take_fraction(scan) : 0;
    }
    *time_us = (hour * HOUR + minute * MINUTE + second) * SECOND_US + fraction;
    return *time_us <= DAY_US;
}

/* ":m" or ":mm", minutes or seconds of a zone. True also when no colon stands next. */
static bool take_zone_part(struct moment_scan *scan, int32_t *number)
{
    return !moment_take(scan, ':') || (moment_digits(scan, 1, 2, number) && *number < 60);
}

bool moment_zone(struct moment_scan *scan, struct moment *moment)
{
    if (moment_take(scan, 'Z') || moment_take(scan, 'z')) {
        moment->has_zone = true;
        return true;
    }
    bool east = moment_take(scan, '+');
    if (!east && !moment_take(scan, '-')) {
        return true;
    }
    int32_t hour;
    int32_t minute = 0;
    int32_t second = 0;
    const char *start = scan->at;
    if (!moment_digits(scan, 1, 4, &hour)) {
        return false;
    }
    if (scan->at - start > 2) { /* hhmm or hmm */
        minute = hour % 100;
        hour /= 100;
    } else if (!take_zone_part(scan, &minute) || !take_zone_part(scan, &second)) {
        return false;
    }
    if (hour > ZONE_HOURS_MAX || minute >= MINUTE) {
        return false;
    }
    assert(second < MINUTE);
    int64_t offset = (hour * HOUR + minute * MINUTE + second) * SECOND_US;
    moment->zone_us = east ? offset : -offset;
    moment->has_zone = true;
    return true;
}
