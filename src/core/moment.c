/* SPDX-License-Identifier: MIT */
#include "core/moment.h"

#include "base/ascii.h"

#include <math.h>
#include <stdlib.h>
#include <strings.h>

enum { YEAR_DIGITS_MIN = 4, YEAR_DIGITS_MAX = 7 };
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
        value = value * 10 + (digits.data[i] - '0');
    }
    return (int64_t) rint((double) value / powers[digits.length] * 1e6);
}

static bool is_word(struct slice text, const char *word)
{
    return text.length == strlen(word) && strncasecmp(text.data, word, text.length) == 0;
}

static bool take_char(struct moment_scan *scan, char wanted)
{
    bool found = scan->at < scan->end && *scan->at == wanted;
    scan->at += found;
    return found;
}

bool moment_digits(struct moment_scan *scan, int least, int most, int32_t *number)
{
    const char *start = scan->at;
    *number = 0;
    while (scan->at < scan->end && ascii_is_digit(*scan->at) && scan->at - start < most) {
        *number = *number * 10 + (*scan->at++ - '0');
    }
    return scan->at - start >= least && (scan->at == scan->end || !ascii_is_digit(*scan->at));
}

static bool take_date(struct moment_scan *scan, struct civil_date *date)
{
    return moment_digits(scan, YEAR_DIGITS_MIN, YEAR_DIGITS_MAX, &date->year) &&
           take_char(scan, '-') && moment_digits(scan, 2, 2, &date->month) &&
           take_char(scan, '-') && moment_digits(scan, 2, 2, &date->day);
}

static bool take_fraction(struct moment_scan *scan, int64_t *microseconds)
{
    struct slice digits = {scan->at, 0};
    while (scan->at < scan->end && ascii_is_digit(*scan->at)) {
        scan->at++;
        digits.length++;
    }
    *microseconds = moment_fraction(digits);
    return digits.length > 0;
}

bool moment_time(struct moment_scan *scan, int hour_digits, int64_t *time_us)
{
    int32_t hour;
    int32_t minute;
    int32_t second = 0;
    int64_t fraction = 0;
    if (!moment_digits(scan, hour_digits, 2, &hour) || !take_char(scan, ':') ||
        !moment_digits(scan, 2, 2, &minute) || minute >= 60) {
        return false;
    }
    if (take_char(scan, ':')) {
        if (!moment_digits(scan, 2, 2, &second) || second > 60) {
            return false;
        }
        if (take_char(scan, '.') && !take_fraction(scan, &fraction)) {
            return false;
        }
    }
    *time_us = (hour * HOUR + minute * MINUTE + second) * SECOND_US + fraction;
    return *time_us <= DAY_US;
}

/* Two digits, perhaps behind a colon: the rest of a zone. */
static bool take_zone_part(struct moment_scan *scan, bool colon, int32_t *number)
{
    if (scan->end - scan->at < (colon ? 3 : 2) || (colon && !take_char(scan, ':'))) {
        return false;
    }
    struct moment_scan two = {scan->at, scan->at + 2};
    scan->at += 2;
    return moment_digits(&two, 2, 2, number) && *number < 60;
}

bool moment_zone(struct moment_scan *scan, struct moment *moment)
{
    if (take_char(scan, 'Z') || take_char(scan, 'z')) {
        moment->has_zone = true;
        return true;
    }
    bool east = take_char(scan, '+');
    if (!east && !take_char(scan, '-')) {
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
    int64_t offset = (hour * HOUR + minute * MINUTE + second) * SECOND_US;
    moment->zone_us = east ? offset : -offset;
    moment->has_zone = true;
    return true;
}

static void skip_spaces(struct moment_scan *scan)
{
    while (take_char(scan, ' ')) {
    }
}

/* The end of the text, perhaps with " BC" before it. */
static bool take_end(struct moment_scan *scan, struct civil_date *date)
{
    skip_spaces(scan);
    struct slice rest = slice_make(scan->at, (size_t) (scan->end - scan->at));
    if (date->year == 0) {
        return false;
    }
    if (is_word(rest, "bc")) {
        date->year = 1 - date->year;
    } else if (rest.length > 0) {
        return false;
    }
    return calendar_is_valid(*date);
}

static bool parse_infinity(struct slice text, int *infinite)
{
    bool negative = text.length > 0 && text.data[0] == '-';
    if (!is_word(slice_make(text.data + negative, text.length - negative), "infinity")) {
        return false;
    }
    *infinite = negative ? -1 : 1;
    return true;
}

static bool parse_iso(struct slice text, struct moment *moment)
{
    struct moment_scan scan = {text.data, text.data + text.length};
    if (!take_date(&scan, &moment->date)) {
        return false;
    }
    const char *separator = scan.at;
    moment->has_time = take_char(&scan, 'T') || take_char(&scan, 't');
    if (!moment->has_time) {
        skip_spaces(&scan);
        moment->has_time = scan.at > separator && scan.at < scan.end && ascii_is_digit(*scan.at);
    }
    if (moment->has_time) {
        if (!moment_time(&scan, 2, &moment->time_us)) {
            return false;
        }
        skip_spaces(&scan);
        if (!moment_zone(&scan, moment)) {
            return false;
        }
    }
    return take_end(&scan, &moment->date);
}

bool moment_parse(struct slice text, struct moment *moment)
{
    text = ascii_trim(text);
    *moment = (struct moment){0};
    if (text.length == 0) {
        return false;
    }
    if (parse_infinity(text, &moment->infinite) || parse_iso(text, moment)) {
        return true;
    }
    return moment_parse_words(text, moment);
}

bool moment_timestamp(const struct moment *moment, int64_t *microseconds)
{
    if (moment->infinite != 0) {
        *microseconds = moment->infinite < 0 ? INT64_MIN : INT64_MAX;
        return true;
    }
    int64_t midnight;
    return !__builtin_mul_overflow(calendar_days(moment->date), DAY_US, &midnight) &&
           !__builtin_add_overflow(midnight, moment->time_us - moment->zone_us, microseconds) &&
           *microseconds >= TIMESTAMP_MIN && *microseconds < TIMESTAMP_END;
}
