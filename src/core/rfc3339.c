/* SPDX-License-Identifier: MIT */
#include "core/rfc3339.h"

#include <assert.h>

#include "core/calendar.h"

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

/* Days since 1970-01-01. */
static int64_t take_date(struct reader *reader)
{
    struct civil_date date;
    date.year = (int32_t) take_number(reader, 4, 9999);
    take_one(reader, "-");
    date.month = (int32_t) take_number(reader, 2, 12);
    take_one(reader, "-");
    date.day = (int32_t) take_number(reader, 2, 31);
    if (!reader->good || !calendar_is_valid(date)) {
        reader->good = false;
        return 0;
    }
    return calendar_days(date) + EPOCH_2000_US / DAY_US;
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
