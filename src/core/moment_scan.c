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

static bool take_fraction(struct moment_scan *scan, int64_t *microseconds)
{
    struct slice digits = {scan->at, 0};
    while (scan->at < scan->end && ascii_is_digit(*scan->at)) {
        scan->at++;
        digits.length++;
    }
    *microseconds = moment_fraction(digits);
    assert(*microseconds >= 0 && *microseconds <= SECOND_US); /* ".9999999" rounds up to one */
    return digits.length > 0;
}

bool moment_time(struct moment_scan *scan, int hour_digits, int64_t *time_us)
{
    int32_t hour;
    int32_t minute;
    int32_t second = 0;
    int64_t fraction = 0;
    assert(hour_digits == 1 || hour_digits == 2);
    if (!moment_digits(scan, hour_digits, 2, &hour) || !moment_take(scan, ':') ||
        !moment_digits(scan, 2, 2, &minute) || minute >= 60) {
        return false;
    }
    if (moment_take(scan, ':')) {
        if (!moment_digits(scan, 2, 2, &second) || second > 60) {
            return false;
        }
        if (moment_take(scan, '.') && !take_fraction(scan, &fraction)) {
            return false;
        }
    }
    *time_us = (hour * HOUR + minute * MINUTE + second) * SECOND_US + fraction;
    return *time_us <= DAY_US;
}

/* Two digits, perhaps behind a colon: the rest of a zone. */
static bool take_zone_part(struct moment_scan *scan, bool colon, int32_t *number)
{
    if (scan->end - scan->at < (colon ? 3 : 2) || (colon && !moment_take(scan, ':'))) {
        return false;
    }
    struct moment_scan two = {scan->at, scan->at + 2};
    scan->at += 2;
    return moment_digits(&two, 2, 2, number) && *number < 60;
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
    if (!take_zone_part(scan, false, &hour) || hour > ZONE_HOURS_MAX) {
        return false;
    }
    bool colon = scan->at < scan->end && *scan->at == ':';
    if (colon || (scan->at < scan->end && ascii_is_digit(*scan->at))) {
        if (!take_zone_part(scan, colon, &minute)) {
            return false;
        }
        if (colon && scan->at < scan->end && *scan->at == ':' &&
            !take_zone_part(scan, true, &second)) {
            return false;
        }
    }
    assert(hour <= ZONE_HOURS_MAX && minute < MINUTE && second < MINUTE);
    int64_t offset = (hour * HOUR + minute * MINUTE + second) * SECOND_US;
    moment->zone_us = east ? offset : -offset;
    moment->has_zone = true;
    return true;
}
