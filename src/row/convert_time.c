/*
 * Values into date, time, timestamp and timestamptz.
 *
 * Texts are read by core/moment. A text without zone is taken as UTC. One with a zone names an
 * instant, so a column without zone gets that instant's UTC time (PostgreSQL itself would drop the
 * zone). Fractions are rounded to microseconds as PostgreSQL rounds them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/ascii.h"
#include "core/moment_words.h"
#include "row/convert.h"
#include "row/convert_family.h"
#include "row/convert_reject.h"

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

/* PostgreSQL's timestamps end before 294277-01-01. */
static bool timestamp_in_range(int64_t microseconds)
{
    return microseconds >= TIMESTAMP_MIN && microseconds < TIMESTAMP_END;
}

bool convert_parse_timestamp(struct slice text, int64_t *microseconds_since_2000)
{
    struct moment moment;
    return moment_parse(text, &moment) && moment_timestamp(&moment, microseconds_since_2000);
}

/* Rejects a number: it could be seconds or milliseconds. */
static enum outcome reject_number(struct error *error, const struct value *value, const char *noun)
{
    return reject_value(error, value,
                        "is a bare number, not a %s (write \"| unix_s\" or \"| unix_ms\")", noun);
}

/* "a time and Europe/Berlin": the word at the end is a name, and what stands in front of it is a
 * time. */
static bool ends_in_zone_name(struct slice text)
{
    struct moment moment;
    text = ascii_trim(text);
    size_t at = text.length;
    while (at > 0 && !ascii_is_space(text.data[at - 1])) {
        at--;
    }
    return at > 0 && ascii_is_letter(text.data[at]) &&
           moment_parse(slice_make(text.data, at), &moment) && moment.has_time && !moment.has_zone;
}

/* 03/04/2025 */
static bool is_ambiguous_date(struct slice text)
{
    size_t digits = 0;
    size_t strokes = 0;
    size_t at = 0;
    text = ascii_trim(text);
    for (; at < text.length && (ascii_is_digit(text.data[at]) || text.data[at] == '/'); at++) {
        digits += text.data[at] != '/';
        strokes += text.data[at] == '/';
    }
    return strokes == 2 && digits >= 4 && digits <= 8 && text.length > 2 &&
           (text.data[1] == '/' || text.data[2] == '/') &&
           (at == text.length || ascii_is_space(text.data[at]));
}

/* Rejects a text that is no time. Two kinds get advice: a zone's name, which only the server can
 * resolve, and a date such as 03/04/2025, whose meaning depends on the server's settings. */
static enum outcome reject_text(struct error *error, const struct value *value, const char *noun)
{
    if (ends_in_zone_name(value->text)) {
        return reject_value(
            error, value,
            "is not a %s: PostgreSQL alone reads the name of a zone, as in compute = "
            "{ at = \"t::timestamptz\"; }",
            noun);
    }
    if (is_ambiguous_date(value->text)) {
        return reject_value(
            error, value, "is not a %s: day or month first? write \"| time '%%d/%%m/%%Y'\"", noun);
    }
    return reject_value(error, value, "is not a %s", noun);
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
        if (!moment_parse(value->text, &moment)) {
            return reject_text(error, value, noun);
        }
        in_range = moment_timestamp(&moment, microseconds);
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

/* The day of an instant, toward the past; counted since 2000-01-01. */
static int64_t day_of(int64_t microseconds)
{
    return microseconds / DAY_US - (microseconds % DAY_US < 0);
}

/* A date alone has a larger range than a timestamp. A text with a time gives the day of that
 * instant in UTC. */
enum outcome convert_date(const struct value *value, const struct column_shape *column,
                          struct arena *arena, struct datum *datum, struct error *error)
{
    (void) arena;
    struct moment moment;
    if (value->kind == VALUE_TEXT && moment_parse(value->text, &moment) &&
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

/* Reads a time of day without a zone or with UTC. Any other zone would need a date to be
 * resolved. */
static bool parse_time(struct slice text, int64_t *time_us)
{
    struct moment moment;
    bool read = moment_parse_time_words(ascii_trim(text), &moment) && moment.zone_us == 0;
    *time_us = moment.time_us;
    return read;
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
        return reject_value(error, value, "is not a time of day");
    }
    datum->integer = round_to_precision(time_us, column->typmod);
    return OUTCOME_OK;
}
