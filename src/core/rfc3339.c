/* SPDX-License-Identifier: MIT */
#include "core/rfc3339.h"

#include <assert.h>

struct reader {
    const char *at;
    const char *end;
    bool good;
};

/* `count` digits; their number is at most `max`. */
static int64_t take_number(struct reader *reader, int count, int64_t max)
{
    int64_t number = 0;
    for (; count > 0; count--) {
        reader->good =
            reader->good && reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9';
        if (reader->good) {
            number = number * 10 + (*reader->at++ - '0');
        }
    }
    assert(number >= 0);
    reader->good = reader->good && number <= max;
    return number;
}

/* One of `characters`; which. */
static char take_one(struct reader *reader, const char *characters)
{
    reader->good = reader->good && reader->at < reader->end && *reader->at != '\0' &&
                   strchr(characters, *reader->at) != NULL;
    return reader->good ? *reader->at++ : '\0';
}

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar; years count from March,
 * so that the leap day is their last. */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
    int64_t shifted = month > 2 ? year : year - 1;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    /* 719468 days lie between 0000-03-01 and 1970-01-01. Year 0 shifts to -1, hence the 400. */
    shifted += 400;
    return shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + day_of_year - 719468 -
           146097;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    assert(month >= 1 && month <= 12);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static int64_t take_date(struct reader *reader)
{
    int64_t year = take_number(reader, 4, 9999);
    take_one(reader, "-");
    int64_t month = take_number(reader, 2, 12);
    take_one(reader, "-");
    int64_t day = take_number(reader, 2, 31);
    if (!reader->good || month == 0 || day == 0 || day > days_in_month(year, month)) {
        reader->good = false;
        return 0;
    }
    return days_from_date(year, month, day);
}

static int64_t take_time(struct reader *reader)
{
    int64_t hour = take_number(reader, 2, 23);
    take_one(reader, ":");
    int64_t minute = take_number(reader, 2, 59);
    take_one(reader, ":");
    return (hour * 60 + minute) * 60 + take_number(reader, 2, 60);
}

/* ".123456789": microseconds. */
static int64_t take_fraction(struct reader *reader)
{
    int64_t fraction = 0;
    int64_t unit = 1000000;
    if (!reader->good || reader->at == reader->end || *reader->at != '.') {
        return 0;
    }
    reader->at++;
    do {
        unit /= 10;
        fraction += take_number(reader, 1, 9) * unit;
    } while (reader->good && reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9');
    return fraction;
}

/* Seconds east of UTC. */
static int64_t take_zone(struct reader *reader)
{
    char sign = take_one(reader, "Zz+-");
    if (sign != '+' && sign != '-') {
        return 0;
    }
    int64_t hour = take_number(reader, 2, 23);
    take_one(reader, ":");
    int64_t minute = take_number(reader, 2, 59);
    return (sign == '-' ? -1 : 1) * (hour * 60 + minute) * 60;
}

bool rfc3339_parse(struct slice text, int64_t *time_us)
{
    if (text.length == 0) {
        return false;
    }
    struct reader reader = {text.data, text.data + text.length, true};
    int64_t seconds = take_date(&reader) * 86400;
    take_one(&reader, "Tt ");
    seconds += take_time(&reader);
    int64_t fraction = take_fraction(&reader);
    seconds -= take_zone(&reader);
    if (!reader.good || reader.at != reader.end) {
        return false;
    }
    assert(fraction >= 0 && fraction < 1000000);
    *time_us = seconds * 1000000 + fraction;
    return true;
}
