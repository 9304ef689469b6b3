/*
 * Values into date, time, timestamp and timestamptz.
 *
 * Read are RFC 3339 and PostgreSQL's ISO form:
 *
 *   2026-11-23                             date
 *   2026-11-23T03:29:30.123456789+01:00    "T", "t" or a space between; seconds, fraction and zone may be missing
 *   0044-03-15 12:00:00+00 BC              zones "Z", +hh, +hhmm, +hh:mm, +hh:mm:ss
 *   infinity, -infinity
 *
 * A text without zone is taken as UTC. One with a zone names an instant, so a column without zone
 * gets that instant's UTC time (PostgreSQL itself would drop the zone). Fractions are rounded to
 * microseconds as PostgreSQL rounds them. "24:00:00" is the next midnight and a second 60 the next
 * minute, as in PostgreSQL.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "core/calendar.h"
#include "row/convert.h"
#include "row/convert_family.h"

enum { YEAR_DIGITS_MIN = 4, YEAR_DIGITS_MAX = 7 };
enum { ZONE_HOURS_MAX = 15 }; /* MAX_TZDISP_HOUR */
enum { MINUTE = 60, HOUR = 3600 };
enum { FRACTION_DIGITS_MAX = 40 }; /* more change nothing in a double */
enum { EXACT_DIGITS_MAX = 15 };    /* any so many are exact in a double */

/* What a text says. */
struct moment {
    int infinite; /* -1, 0, 1 */
    struct civil_date date;
    bool has_time;
    int64_t time_us; /* since midnight; at most a whole day */
    int64_t zone_us; /* east of Greenwich */
};

struct scan {
    const char *at;
    const char *end;
};

int64_t fraction_microseconds(struct slice digits)
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

int64_t round_to_precision(int64_t microseconds, int32_t decimals)
{
    static const int64_t units[] = {1000000, 100000, 10000, 1000, 100, 10};
    if (decimals < 0 || decimals >= 6) {
        return microseconds;
    }
    int64_t unit = units[decimals];
    int64_t half = microseconds < 0 ? -unit / 2 : unit / 2;
    return (microseconds + half) / unit * unit;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take_char(struct scan *scan, char wanted)
{
    bool found = scan->at < scan->end && *scan->at == wanted;
    scan->at += found;
    return found;
}

/* Between `least` and `most` digits, and none behind them. */
static bool take_digits(struct scan *scan, int least, int most, int32_t *number)
{
    const char *start = scan->at;
    *number = 0;
    while (scan->at < scan->end && is_digit(*scan->at) && scan->at - start < most) {
        *number = *number * 10 + (*scan->at++ - '0');
    }
    return scan->at - start >= least && (scan->at == scan->end || !is_digit(*scan->at));
}

static bool take_date(struct scan *scan, struct civil_date *date)
{
    return take_digits(scan, YEAR_DIGITS_MIN, YEAR_DIGITS_MAX, &date->year) &&
           take_char(scan, '-') && take_digits(scan, 2, 2, &date->month) && take_char(scan, '-') &&
           take_digits(scan, 2, 2, &date->day);
}

static bool take_fraction(struct scan *scan, int64_t *microseconds)
{
    struct slice digits = {scan->at, 0};
    while (scan->at < scan->end && is_digit(*scan->at)) {
        scan->at++;
        digits.length++;
    }
    *microseconds = fraction_microseconds(digits);
    return digits.length > 0;
}

/* hh:mm[:ss[.fraction]], not beyond 24:00:00. */
static bool take_time(struct scan *scan, int64_t *time_us)
{
    int32_t hour;
    int32_t minute;
    int32_t second = 0;
    int64_t fraction = 0;
    if (!take_digits(scan, 2, 2, &hour) || !take_char(scan, ':') ||
        !take_digits(scan, 2, 2, &minute) || minute >= 60) {
        return false;
    }
    if (take_char(scan, ':')) {
        if (!take_digits(scan, 2, 2, &second) || second > 60) {
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
static bool take_zone_part(struct scan *scan, bool colon, int32_t *number)
{
    if (scan->end - scan->at < (colon ? 3 : 2) || (colon && !take_char(scan, ':'))) {
        return false;
    }
    struct scan two = {scan->at, scan->at + 2};
    scan->at += 2;
    return take_digits(&two, 2, 2, number) && *number < 60;
}

/* True also when there is none. */
static bool take_zone(struct scan *scan, int64_t *zone_us)
{
    if (take_char(scan, 'Z') || take_char(scan, 'z')) {
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
    if (colon || (scan->at < scan->end && is_digit(*scan->at))) {
        if (!take_zone_part(scan, colon, &minute)) {
            return false;
        }
        if (colon && scan->at < scan->end && *scan->at == ':' &&
            !take_zone_part(scan, true, &second)) {
            return false;
        }
    }
    int64_t offset = (hour * HOUR + minute * MINUTE + second) * SECOND_US;
    *zone_us = east ? offset : -offset;
    return true;
}

static void skip_spaces(struct scan *scan)
{
    while (take_char(scan, ' ')) {
    }
}

/* The end of the text, perhaps with " BC" before it. */
static bool take_end(struct scan *scan, struct civil_date *date)
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

static bool parse_moment(struct slice text, struct moment *moment)
{
    text = trim(text);
    *moment = (struct moment){0};
    if (parse_infinity(text, &moment->infinite)) {
        return true;
    }
    struct scan scan = {text.data, text.data + text.length};
    if (!take_date(&scan, &moment->date)) {
        return false;
    }
    const char *separator = scan.at;
    moment->has_time = take_char(&scan, 'T') || take_char(&scan, 't');
    if (!moment->has_time) {
        skip_spaces(&scan);
        moment->has_time = scan.at > separator && scan.at < scan.end && is_digit(*scan.at);
    }
    if (moment->has_time) {
        if (!take_time(&scan, &moment->time_us)) {
            return false;
        }
        skip_spaces(&scan);
        if (!take_zone(&scan, &moment->zone_us)) {
            return false;
        }
    }
    return take_end(&scan, &moment->date);
}

static bool timestamp_in_range(int64_t microseconds)
{
    return microseconds >= TIMESTAMP_MIN && microseconds < TIMESTAMP_END;
}

/* Microseconds since 2000-01-01 UTC; false when it is out of PostgreSQL's range. */
static bool timestamp_of(const struct moment *moment, int64_t *microseconds)
{
    if (moment->infinite != 0) {
        *microseconds = moment->infinite < 0 ? INT64_MIN : INT64_MAX;
        return true;
    }
    int64_t midnight;
    if (__builtin_mul_overflow(calendar_days(moment->date), DAY_US, &midnight) ||
        __builtin_add_overflow(midnight, moment->time_us - moment->zone_us, microseconds)) {
        return false;
    }
    return timestamp_in_range(*microseconds);
}

bool convert_parse_timestamp(struct slice text, int64_t *microseconds_since_2000)
{
    struct moment moment;
    return parse_moment(text, &moment) && timestamp_of(&moment, microseconds_since_2000);
}

static enum outcome reject_number(struct error *error, const struct value *value, const char *noun)
{
    return reject_value(error, value,
                        "is a bare number and no %s (write \"| unix_s\" or \"| unix_ms\")", noun);
}

/* A value that names a moment, as microseconds since 2000-01-01 UTC. */
static enum outcome moment_of(const struct value *value, const struct column_shape *column,
                              const char *noun, int64_t *microseconds, struct error *error)
{
    struct moment moment;
    bool in_range;
    switch (value->kind) {
    case VALUE_NUMBER:
        return reject_number(error, value, noun);
    case VALUE_TIME:
        in_range = !__builtin_sub_overflow(value->time_us, EPOCH_2000_US, microseconds) &&
                   timestamp_in_range(*microseconds);
        break;
    case VALUE_TEXT:
        if (!parse_moment(value->text, &moment)) {
            return reject_value(error, value, "is no %s", noun);
        }
        in_range = timestamp_of(&moment, microseconds);
        break;
    default:
        return reject_kind(error, value, column);
    }
    return in_range ? OUTCOME_OK : reject_value(error, value, "is out of range");
}

enum outcome convert_timestamp(const struct value *value, const struct column_shape *column,
                               struct arena *arena, struct datum *datum, struct error *error)
{
    (void) arena;
    int64_t microseconds = 0;
    enum outcome outcome = moment_of(value, column, "timestamp", &microseconds, error);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    bool infinite = microseconds == INT64_MIN || microseconds == INT64_MAX;
    if (column->typmod >= 0 && !infinite) {
        microseconds = round_to_precision(microseconds, column->typmod);
        if (!timestamp_in_range(microseconds)) {
            return reject_value(error, value, "is out of range");
        }
    }
    datum->integer = microseconds;
    return OUTCOME_OK;
}

static int64_t day_of(int64_t microseconds)
{
    return microseconds / DAY_US - (microseconds % DAY_US < 0);
}

/* A date by itself reaches further than a timestamp; one with a time is the day of that instant in
 * UTC. */
enum outcome convert_date(const struct value *value, const struct column_shape *column,
                          struct arena *arena, struct datum *datum, struct error *error)
{
    (void) arena;
    struct moment moment;
    if (value->kind == VALUE_TEXT && parse_moment(value->text, &moment) &&
        (!moment.has_time || moment.infinite != 0)) {
        datum->integer = moment.infinite == 0  ? calendar_days(moment.date)
                         : moment.infinite < 0 ? INT32_MIN
                                               : INT32_MAX;
        bool in_range = datum->integer >= DATE_MIN && datum->integer <= DATE_MAX;
        return moment.infinite != 0 || in_range ? OUTCOME_OK
                                                : reject_value(error, value, "is out of range");
    }
    int64_t microseconds = 0;
    enum outcome outcome = moment_of(value, column, "date", &microseconds, error);
    if (outcome == OUTCOME_OK) {
        datum->integer = day_of(microseconds);
    }
    return outcome;
}

/* Without a zone, or with that of UTC: any other would have to be dropped or need a date. */
static bool parse_time(struct slice text, int64_t *time_us)
{
    text = trim(text);
    struct scan scan = {text.data, text.data + text.length};
    int64_t zone_us = 0;
    if (!take_time(&scan, time_us)) {
        return false;
    }
    skip_spaces(&scan);
    return take_zone(&scan, &zone_us) && zone_us == 0 && scan.at == scan.end;
}

enum outcome convert_time(const struct value *value, const struct column_shape *column,
                          struct arena *arena, struct datum *datum, struct error *error)
{
    (void) arena;
    if (value->kind != VALUE_TEXT) {
        return reject_kind(error, value, column);
    }
    int64_t time_us;
    if (!parse_time(value->text, &time_us)) {
        return reject_value(error, value, "is no time of day");
    }
    datum->integer = round_to_precision(time_us, column->typmod);
    return OUTCOME_OK;
}
