/*
 * Text into interval: PostgreSQL's own form and ISO 8601's.
 *
 *   1 year 2 mons -3 days +04:05:06.7      numbers with units, each unit once, then perhaps a time;
 *                                          or a time alone; "ago" at the end turns the sign around
 *   P1Y2M3W4DT5H6M7.8S                     each number may have a minus
 *
 * Months, days and microseconds are kept apart as PostgreSQL keeps them. Days, hours, minutes and
 * seconds may have a fraction.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <strings.h>

#include "base/ascii.h"
#include "core/moment_scan.h"
#include "row/convert_family.h"
#include "row/convert_reject.h"

#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)

enum { NUMBER_DIGITS_MAX = 15 };
enum { TYPMOD_ALL_FIELDS = 0x7fff };

/* In the order of ISO 8601, on which parse_iso_part() relies. A time may only follow units that are
 * larger than an hour. */
enum unit {
    UNIT_CENTURY,
    UNIT_DECADE,
    UNIT_YEAR,
    UNIT_MONTH,
    UNIT_WEEK,
    UNIT_DAY,
    UNIT_HOUR,
    UNIT_MINUTE,
    UNIT_SECOND,
    UNIT_MILLISECOND,
    UNIT_MICROSECOND,
    UNIT_NONE
};

static const struct datum_interval unit_sizes[] = {
    [UNIT_CENTURY] = {.months = 1200}, [UNIT_DECADE] = {.months = 120},
    [UNIT_YEAR] = {.months = 12},      [UNIT_MONTH] = {.months = 1},
    [UNIT_WEEK] = {.days = 7},         [UNIT_DAY] = {.days = 1},
    [UNIT_HOUR] = {.us = HOUR_US},     [UNIT_MINUTE] = {.us = MINUTE_US},
    [UNIT_SECOND] = {.us = SECOND_US}, [UNIT_MILLISECOND] = {.us = 1000},
    [UNIT_MICROSECOND] = {.us = 1},
};

static const struct {
    const char *word;
    enum unit unit;
} unit_words[] = {
    {"year", UNIT_YEAR},
    {"years", UNIT_YEAR},
    {"yr", UNIT_YEAR},
    {"yrs", UNIT_YEAR},
    {"y", UNIT_YEAR},
    {"mon", UNIT_MONTH},
    {"mons", UNIT_MONTH},
    {"month", UNIT_MONTH},
    {"months", UNIT_MONTH},
    {"week", UNIT_WEEK},
    {"weeks", UNIT_WEEK},
    {"w", UNIT_WEEK},
    {"day", UNIT_DAY},
    {"days", UNIT_DAY},
    {"d", UNIT_DAY},
    {"hour", UNIT_HOUR},
    {"hours", UNIT_HOUR},
    {"hr", UNIT_HOUR},
    {"hrs", UNIT_HOUR},
    {"h", UNIT_HOUR},
    {"minute", UNIT_MINUTE},
    {"minutes", UNIT_MINUTE},
    {"min", UNIT_MINUTE},
    {"mins", UNIT_MINUTE},
    {"m", UNIT_MINUTE},
    {"second", UNIT_SECOND},
    {"seconds", UNIT_SECOND},
    {"sec", UNIT_SECOND},
    {"secs", UNIT_SECOND},
    {"s", UNIT_SECOND},
    {"decade", UNIT_DECADE},
    {"decades", UNIT_DECADE},
    {"century", UNIT_CENTURY},
    {"centuries", UNIT_CENTURY},
    {"ms", UNIT_MILLISECOND},
    {"msec", UNIT_MILLISECOND},
    {"msecs", UNIT_MILLISECOND},
    {"millisecond", UNIT_MILLISECOND},
    {"milliseconds", UNIT_MILLISECOND},
    {"us", UNIT_MICROSECOND},
    {"usec", UNIT_MICROSECOND},
    {"usecs", UNIT_MICROSECOND},
    {"microsecond", UNIT_MICROSECOND},
    {"microseconds", UNIT_MICROSECOND},
};

/* ±whole.fraction; the sign belongs to both. */
struct quantity {
    bool negative;
    int64_t whole;
    struct slice fraction; /* digits, or none */
};

/* NONE for a word that is no unit. */
static enum unit unit_of_word(struct slice word)
{
    for (size_t i = 0; i < sizeof(unit_words) / sizeof(unit_words[0]); i++) {
        if (is_word(word, unit_words[i].word)) {
            return unit_words[i].unit;
        }
    }
    return UNIT_NONE;
}

/* Any number of blanks and commas, also none. Python writes "1 day, 2:03:04". */
static void skip_spaces(struct moment_scan *scan)
{
    while (moment_take(scan, ' ') || moment_take(scan, ',')) {
    }
}

/* The digits that stand next; empty when none do. */
static struct slice take_digits(struct moment_scan *scan)
{
    assert(scan->at <= scan->end);
    const char *start = scan->at;
    while (scan->at < scan->end && ascii_is_digit(*scan->at)) {
        scan->at++;
    }
    return slice_make(start, (size_t) (scan->at - start));
}

/* The letters that stand next; empty when none do. */
static struct slice take_word(struct moment_scan *scan)
{
    assert(scan->at <= scan->end);
    const char *start = scan->at;
    while (scan->at < scan->end && ascii_is_letter(*scan->at)) {
        scan->at++;
    }
    return slice_make(start, (size_t) (scan->at - start));
}

/* Digits as a number. False when there are none or too many: NUMBER_DIGITS_MAX of them times the
 * microseconds of a minute still fit. */
static bool whole_of(struct slice digits, int64_t *whole)
{
    *whole = 0;
    for (size_t i = 0; i < digits.length && i < NUMBER_DIGITS_MAX; i++) {
        *whole = *whole * 10 + (digits.data[i] - '0');
    }
    return digits.length > 0 && digits.length <= NUMBER_DIGITS_MAX;
}

/* True also when there is none. */
static bool take_fraction(struct moment_scan *scan, struct quantity *quantity)
{
    if (!moment_take(scan, '.')) {
        return true;
    }
    quantity->fraction = take_digits(scan);
    return quantity->fraction.length > 0;
}

/* [sign] digits [. digits] */
static bool take_quantity(struct moment_scan *scan, struct quantity *quantity)
{
    *quantity = (struct quantity){.negative = moment_take(scan, '-')};
    if (!quantity->negative) {
        moment_take(scan, '+');
    }
    return whole_of(take_digits(scan), &quantity->whole) && take_fraction(scan, quantity);
}

/* Microseconds in a fraction of a unit. Fractions of a second are rounded like PostgreSQL; a
 * fraction of another unit must be exact. */
static bool fraction_of(struct slice digits, int64_t unit_us, int64_t *us)
{
    if (unit_us == SECOND_US) {
        *us = moment_fraction(digits);
        return true;
    }
    *us = 0;
    for (size_t i = 0; i < digits.length; i++) {
        int64_t digit = digits.data[i] - '0';
        if (digit != 0 && unit_us % 10 != 0) {
            return false;
        }
        unit_us /= 10;
        *us += digit * unit_us;
    }
    return true;
}

/* Months and days are 32 bits wide; false when the sum is not. */
static bool add_int32(int32_t *sum, int64_t count, int32_t unit)
{
    assert(count < INT64_C(1000000000000000) && count > -INT64_C(1000000000000000));
    int64_t product = count * unit; /* at most 15 digits by 12 */
    return !__builtin_add_overflow(*sum, product, sum);
}

/* Adds so many of a unit; false when it does not fit, or has a fraction of a unit that has no
 * exact microseconds. */
static bool add_quantity(struct datum_interval *sum, const struct quantity *quantity,
                         enum unit unit)
{
    assert(unit < UNIT_NONE);
    const struct datum_interval *size = &unit_sizes[unit];
    int64_t count = quantity->negative ? -quantity->whole : quantity->whole;
    int64_t unit_us = unit == UNIT_DAY && quantity->fraction.length > 0 ? DAY_US : size->us;
    if (unit_us == 0) {
        return quantity->fraction.length == 0 && add_int32(&sum->months, count, size->months) &&
               add_int32(&sum->days, count, size->days);
    }
    int64_t us;
    int64_t fraction;
    return fraction_of(quantity->fraction, unit_us, &fraction) &&
           add_int32(&sum->days, count, size->days) &&
           !__builtin_mul_overflow(count, size->us, &us) &&
           !__builtin_add_overflow(us, quantity->negative ? -fraction : fraction, &us) &&
           !__builtin_add_overflow(sum->us, us, &sum->us);
}

/* One or two digits below 60. */
static bool take_sixtieth(struct moment_scan *scan, struct quantity *quantity)
{
    struct slice digits = take_digits(scan);
    return digits.length <= 2 && whole_of(digits, &quantity->whole) && quantity->whole < 60;
}

/* Reads mm[:ss[.fraction]] behind "hh:" to the end. The sign before the hours is also that of
 * minutes and seconds. */
static bool take_clock(struct moment_scan *scan, const struct quantity *hours,
                       struct datum_interval *sum)
{
    struct quantity minutes = {.negative = hours->negative};
    struct quantity seconds = {.negative = hours->negative};
    if (hours->fraction.length > 0 || !take_sixtieth(scan, &minutes)) {
        return false;
    }
    if (moment_take(scan, ':') &&
        (!take_sixtieth(scan, &seconds) || !take_fraction(scan, &seconds))) {
        return false;
    }
    return scan->at == scan->end && add_quantity(sum, hours, UNIT_HOUR) &&
           add_quantity(sum, &minutes, UNIT_MINUTE) && add_quantity(sum, &seconds, UNIT_SECOND);
}

/* "1 year 2 mons -3 days +04:05:06.7", each unit once. */
static bool parse_words(struct moment_scan scan, struct datum_interval *interval)
{
    unsigned seen = 0; /* one bit a unit */
    while (scan.at < scan.end) {
        struct quantity quantity;
        if (!take_quantity(&scan, &quantity)) {
            return false;
        }
        if (moment_take(&scan, ':')) {
            return seen < 1U << UNIT_HOUR && take_clock(&scan, &quantity, interval);
        }
        skip_spaces(&scan);
        enum unit unit = unit_of_word(take_word(&scan));
        if (unit == UNIT_NONE || (seen & 1U << unit) != 0 ||
            !add_quantity(interval, &quantity, unit)) {
            return false;
        }
        if (scan.at < scan.end && *scan.at != ' ' && *scan.at != ',') {
            return false;
        }
        seen |= 1U << unit;
        skip_spaces(&scan);
    }
    return seen != 0;
}

/* Cuts "ago" off the end of the text. */
static bool take_ago(struct slice *text)
{
    bool found = text->length > 4 && strncasecmp(text->data + text->length - 4, " ago", 4) == 0;
    text->length -= found ? 4 : 0;
    return found;
}

/* The same span into the past. False: the least of 64 or 32 bits has no opposite. */
static bool turn_around(struct datum_interval *interval)
{
    return !__builtin_sub_overflow(0, interval->months, &interval->months) &&
           !__builtin_sub_overflow(0, interval->days, &interval->days) &&
           !__builtin_sub_overflow(0, interval->us, &interval->us);
}

/* Numbers with letters, each letter once and in order; `letters` begins with that of `unit`. */
static bool parse_iso_part(struct moment_scan scan, const char *letters, enum unit unit,
                           struct datum_interval *interval)
{
    const char *rest = letters;
    while (scan.at < scan.end) {
        struct quantity quantity;
        if (*scan.at == '+' || !take_quantity(&scan, &quantity) || scan.at == scan.end ||
            *scan.at == '\0') {
            return false;
        }
        const char *letter = strchr(rest, *scan.at++);
        if (letter == NULL ||
            !add_quantity(interval, &quantity, unit + (unsigned) (letter - letters))) {
            return false;
        }
        rest = letter + 1;
    }
    return true;
}

/* Parses the text after the "P". */
static bool parse_iso(struct moment_scan scan, struct datum_interval *interval)
{
    const char *separator = scan.at;
    while (separator < scan.end && *separator != 'T') {
        separator++;
    }
    bool has_time = separator < scan.end;
    struct moment_scan date = {scan.at, separator};
    struct moment_scan time = {separator + has_time, scan.end};
    bool empty = has_time ? time.at == time.end : date.at == date.end;
    return !empty && parse_iso_part(date, "YMWD", UNIT_YEAR, interval) &&
           parse_iso_part(time, "HMS", UNIT_HOUR, interval);
}

/* White space may stand around words, but not around ISO 8601's form. */
static bool parse_interval(struct slice text, struct datum_interval *interval)
{
    struct moment_scan scan = {text.data, text.data + text.length};
    *interval = (struct datum_interval){0};
    if (moment_take(&scan, 'P')) {
        return parse_iso(scan, interval);
    }
    text = ascii_trim(text);
    bool ago = take_ago(&text);
    return parse_words((struct moment_scan){text.data, text.data + text.length}, interval) &&
           (!ago || turn_around(interval));
}

enum outcome convert_interval(const struct value *value, const struct column_shape *column,
                              struct arena *arena, struct datum *datum, struct error *error)
{
    (void) arena;
    if (value->kind == VALUE_NUMBER) {
        return reject_value(error, value,
                            "is a bare number, not an interval (write text such as \"PT30S\")");
    }
    if (value->kind != VALUE_TEXT) {
        return reject_kind(error, value, column);
    }
    if (!parse_interval(value->text, &datum->interval)) {
        return reject_value(error, value, "is not an interval");
    }
    /* Where the column keeps some fields only, the server drops the others. */
    if (column->typmod >= 0 && column->typmod >> 16 == TYPMOD_ALL_FIELDS) {
        datum->interval.us = round_to_precision(datum->interval.us, column->typmod & 0xffff);
    }
    return OUTCOME_OK;
}
