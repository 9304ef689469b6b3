/*
 * strptime(3) itself is not used: it depends on the locale, takes no fractions, and ignores missing
 * parts. Here the whole text must match, and the date must exist.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/time_format.h"

#include <assert.h>
#include <strings.h>

#include "base/ascii.h"
#include "core/moment_scan.h"

enum { YEAR_PIVOT = 69, SECONDS_DIGITS_MAX = 11, DAY_S = 86400, EPOCH_2000_DAYS = 10957 };

static const char *const months[] = {"january",   "february", "march",    "april",
                                     "may",       "june",     "july",     "august",
                                     "september", "october",  "november", "december"};
static const char *const weekdays[] = {"sunday",   "monday", "tuesday", "wednesday",
                                       "thursday", "friday", "saturday"};

/* Formats that stand for others. */
static const struct {
    char directive;
    const char *format;
} aliases[] = {{'D', "%m/%d/%y"}, {'T', "%H:%M:%S"}, {'R', "%H:%M"}, {'F', "%Y-%m-%d"}};

static const char dsmr[] = "%y%m%d%H%M%S%Z";

/* What was read so far. */
struct fields {
    struct moment_scan scan;
    struct moment *moment;
    enum season season;
    int32_t year, month, day, day_of_year; /* 0: not read */
    int32_t hour, minute, second;
    int64_t fraction_us;
    bool has_half, afternoon; /* AM, PM */
    bool has_epoch;
    int64_t epoch;
};

/* At most `most` digits, as strptime() takes them; at least one. */
static bool take_number(struct fields *fields, int most, int32_t low, int32_t high, int32_t *number)
{
    assert(most > 0 && most < 10);
    struct moment_scan *scan = &fields->scan;
    const char *start = scan->at;
    *number = 0;
    while (scan->at < scan->end && ascii_is_digit(*scan->at) && scan->at - start < most) {
        *number = *number * 10 + (*scan->at++ - '0');
    }
    return scan->at > start && *number >= low && *number <= high;
}

/* A name of the list, whole or its first three letters; which. */
static bool take_name(struct fields *fields, const char *const *names, int count, int32_t *index)
{
    assert(count > 0);
    struct moment_scan *scan = &fields->scan;
    size_t left = (size_t) (scan->end - scan->at);
    for (int i = 0; i < count; i++) {
        size_t whole = strlen(names[i]);
        size_t length = left >= whole && strncasecmp(scan->at, names[i], whole) == 0 ? whole : 3;
        if (left >= length && strncasecmp(scan->at, names[i], length) == 0) {
            scan->at += length;
            *index = i;
            return true;
        }
    }
    return false;
}

/* AM or PM, in any case. */
static bool take_half(struct fields *fields)
{
    struct moment_scan *scan = &fields->scan;
    bool two = scan->end - scan->at >= 2;
    char half = two ? ascii_to_lower(scan->at[0]) : '\0';
    if ((half != 'a' && half != 'p') || ascii_to_lower(scan->at[1]) != 'm') {
        return false;
    }
    fields->has_half = true;
    fields->afternoon = half == 'p';
    scan->at += 2;
    return true;
}

/* Digits behind a decimal point, rounded to microseconds. */
static bool take_fraction(struct fields *fields)
{
    struct moment_scan *scan = &fields->scan;
    const char *start = scan->at;
    while (scan->at < scan->end && ascii_is_digit(*scan->at)) {
        scan->at++;
    }
    fields->fraction_us = moment_fraction(slice_make(start, (size_t) (scan->at - start)));
    return scan->at > start;
}

/* Seconds since 1970 (%s). SECONDS_DIGITS_MAX keeps them far from overflow. */
static bool take_epoch(struct fields *fields)
{
    struct moment_scan *scan = &fields->scan;
    const char *start = scan->at;
    bool negative = scan->at < scan->end && *scan->at == '-';
    scan->at += negative;
    const char *digits = scan->at;
    while (scan->at < scan->end && ascii_is_digit(*scan->at) &&
           scan->at - digits < SECONDS_DIGITS_MAX) {
        fields->epoch = fields->epoch * 10 + (*scan->at++ - '0');
    }
    fields->epoch = negative ? -fields->epoch : fields->epoch;
    fields->has_epoch = true;
    return scan->at > start + negative;
}

/* UTC by one of its names, or the season of a smart meter's clock: W, S. */
static bool take_abbreviation(struct fields *fields)
{
    static const char *const utc[] = {"UTC", "GMT", "Z"};
    struct moment_scan *scan = &fields->scan;
    size_t left = (size_t) (scan->end - scan->at);
    for (size_t i = 0; i < sizeof(utc) / sizeof(utc[0]); i++) {
        size_t length = strlen(utc[i]);
        if (left >= length && strncasecmp(scan->at, utc[i], length) == 0) {
            scan->at += length;
            fields->moment->has_zone = true;
            return true;
        }
    }
    if (left == 0 || (*scan->at != 'W' && *scan->at != 'S')) {
        return false;
    }
    fields->season = *scan->at++ == 'S' ? SEASON_DAYLIGHT : SEASON_STANDARD;
    return true;
}

/* +hh, +hhmm, +hh:mm, Z. */
static bool take_offset(struct fields *fields)
{
    return moment_zone(&fields->scan, fields->moment) && fields->moment->has_zone;
}

/* Two digits of a year: 69 to 99 are of the last century, as in POSIX. */
static bool take_year_of_century(struct fields *fields)
{
    bool good = take_number(fields, 2, 0, 99, &fields->year);
    fields->year += fields->year < YEAR_PIVOT ? 2000 : 1900;
    return good;
}

/* One letter behind "%" that stands for a part of a time; false when the text has something else
 * there. */
static bool take_directive(struct fields *fields, char directive)
{
    int32_t ignored;
    bool good;
    switch (directive) {
    case 'Y':
        return take_number(fields, 4, 1, 9999, &fields->year);
    case 'y':
        return take_year_of_century(fields);
    case 'm':
        return take_number(fields, 2, 1, 12, &fields->month);
    case 'd':
    case 'e':
        return take_number(fields, 2, 1, 31, &fields->day);
    case 'j':
        return take_number(fields, 3, 1, 366, &fields->day_of_year);
    case 'H':
        return take_number(fields, 2, 0, 24, &fields->hour);
    case 'I':
        return take_number(fields, 2, 1, 12, &fields->hour);
    case 'M':
        return take_number(fields, 2, 0, 59, &fields->minute);
    case 'S':
        return take_number(fields, 2, 0, 60, &fields->second);
    case 'b':
    case 'B':
    case 'h':
        good = take_name(fields, months, 12, &fields->month);
        fields->month++;
        return good;
    case 'a':
    case 'A':
        return take_name(fields, weekdays, 7, &ignored);
    case 'p':
        return take_half(fields);
    case 'f':
        return take_fraction(fields);
    case 's':
        return take_epoch(fields);
    case 'z':
        return take_offset(fields);
    default: /* 'Z': time_format_is_known() has seen to that */
        return take_abbreviation(fields);
    }
}

/* White space in a format stands for any white space, also none. */
static void skip_spaces(struct fields *fields)
{
    while (fields->scan.at < fields->scan.end && ascii_is_space(*fields->scan.at)) {
        fields->scan.at++;
    }
}

/* The format that a directive stands for, or NULL. */
static const char *alias_of(char directive)
{
    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
        if (aliases[i].directive == directive) {
            return aliases[i].format;
        }
    }
    return NULL;
}

/* Is the next character of the text this one? Takes it. */
static bool take_literal(struct fields *fields, char wanted)
{
    return fields->scan.at != fields->scan.end && *fields->scan.at++ == wanted;
}

/* Reads the text along the format of an alias. No alias holds another one, nor a space. */
static bool take_alias(struct fields *fields, const char *format)
{
    for (; *format != '\0'; format++) {
        if (*format == '%' ? !take_directive(fields, *++format) : !take_literal(fields, *format)) {
            return false;
        }
    }
    return true;
}

/* Reads the text along the format. */
static bool take_format(struct fields *fields, const char *format)
{
    for (; *format != '\0'; format++) {
        char directive = format[0] == '%' ? *++format : '\0';
        if (ascii_is_space(*format) || directive == 'n' || directive == 't') {
            skip_spaces(fields);
        } else if (directive == '\0' || directive == '%') {
            if (!take_literal(fields, *format)) {
                return false;
            }
        } else if (alias_of(directive) != NULL) {
            if (!take_alias(fields, alias_of(directive))) {
                return false;
            }
        } else if (!take_directive(fields, directive)) {
            return false;
        }
    }
    return true;
}

bool time_format_is_known(const char *format, size_t *at)
{
    bool known = true;
    for (*at = 0; strcmp(format, "dsmr") != 0 && format[*at] != '\0'; ++*at) {
        if (format[*at] != '%') {
            continue;
        }
        char letter = format[*at + 1];
        known = letter != '\0' && strchr("YymdejHIMSbBhaApfszZntDTRF%", letter) != NULL;
        if (!known) {
            break;
        }
        ++*at;
    }
    return known;
}

/* The date by month and day, by the day of the year, or 1970-01-01. */
static bool make_date(struct fields *fields)
{
    struct civil_date *date = &fields->moment->date;
    if (fields->has_epoch) {
        int64_t day = fields->epoch / DAY_S - (fields->epoch % DAY_S < 0);
        assert(fields->epoch >= day * DAY_S && fields->epoch < (day + 1) * DAY_S);
        *date = calendar_date(day - EPOCH_2000_DAYS);
        fields->moment->time_us = (fields->epoch - day * DAY_S) * SECOND_US + fields->fraction_us;
        fields->moment->has_zone = true;
        return true;
    }
    *date = (struct civil_date){
        .year = fields->year > 0 ? fields->year : 1970,
        .month = fields->month > 0 ? fields->month : 1,
        .day = fields->day > 0 ? fields->day : 1,
    };
    if (fields->day_of_year > 0) {
        struct civil_date first = {.year = date->year, .month = 1, .day = 1};
        *date = calendar_date(calendar_days(first) + fields->day_of_year - 1);
        return date->year == first.year;
    }
    return calendar_is_valid(*date);
}

/* Hour, minute, second and fraction. 24:00:00 is the next midnight. */
static bool make_time(struct fields *fields)
{
    if (fields->has_half) {
        fields->hour = fields->hour % 12 + (fields->afternoon ? 12 : 0);
    }
    fields->moment->has_time = true;
    fields->moment->time_us =
        ((int64_t) (fields->hour * 60 + fields->minute) * 60 + fields->second) * SECOND_US +
        fields->fraction_us;
    return fields->moment->time_us <= DAY_US;
}

bool time_format_parse(const char *format, struct slice text, struct moment *moment,
                       enum season *season)
{
    struct fields fields = {.scan = {text.data, text.data + text.length}, .moment = moment};
    *moment = (struct moment){0};
    format = strcmp(format, "dsmr") == 0 ? dsmr : format;
    assert(format[0] != '\0');
    bool good = take_format(&fields, format) && fields.scan.at == fields.scan.end &&
                make_time(&fields) && make_date(&fields);
    *season = fields.season;
    return good;
}
