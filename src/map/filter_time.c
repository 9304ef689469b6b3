/*
 * filter_time: the filters that make times: unix_s and its like, time, zone.
 *
 * A time is microseconds since 1970 in UTC, as in PostgreSQL's timestamptz. A time that came
 * without a zone is marked (zoneless) until the filter `zone` says which zone it was; a column
 * takes such a time as UTC.
 *
 *   unix_…       a count since 1970; finer than a microsecond is cut toward the past
 *   time         a format, or several that are tried in turn; fractions are rounded
 *   zone         for texts, and for times that `time` read without a zone
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/ascii.h"
#include "base/text.h"
#include "map/filter_family.h"
#include "map/hints.h"
#include "map/local_zone.h"
#include "map/time_format.h"

enum { FORMATS_MAX = 16 };

/* The arguments of `time` and `zone`. */
struct time_reader {
    const char *formats[FORMATS_MAX];
    size_t count;
    const struct local_zone *zone; /* NULL: UTC */
};

/* Nearly every clock sends digits alone, which need no decimal arithmetic. False for any other text
 * and for a time out of range. */
static bool unix_of_digits(struct slice text, int layout, int64_t *time_us)
{
    static const int64_t units[] = {1000000, 1000,
                                    1}; /* microseconds in one, by a third of layout */
    enum { UINT64_DIGITS = 19 };        /* so many always fit */
    uint64_t count = 0;
    if (text.length == 0 || text.length > UINT64_DIGITS) {
        return false;
    }
    for (size_t i = 0; i < text.length; i++) {
        if (!ascii_is_digit(text.data[i])) {
            return false;
        }
        count = count * 10 + (uint64_t) (text.data[i] - '0');
    }
    if (layout == 9) {
        *time_us = (int64_t) (count / 1000);
        return true;
    }
    assert(layout >= 0 && layout <= 6 && layout % 3 == 0);
    return !__builtin_mul_overflow(count, units[layout / 3], time_us);
}

/* A count of 10^-layout seconds since 1970. */
enum outcome filter_unix(struct value *value, const struct filter_call *call)
{
    struct decimal number = {0};
    int64_t time_us;
    if (value->kind == VALUE_NUMBER &&
        unix_of_digits(value->text, call->filter->layout, &time_us)) {
        *value = value_time(time_us);
        return OUTCOME_OK;
    }
    if (filter_read_number(value, &number, call->error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    number.exponent += 6 - call->filter->layout;
    if (!decimal_floor(number, &time_us)) {
        return filter_refuse(value, "is out of range", call->error);
    }
    *value = value_time(time_us);
    return OUTCOME_OK;
}

/* --- reading arguments ------------------------------------------------------------------------ */

static const char format_hint[] = "like '%d.%m.%Y %H:%M:%S'";

/* The zone of that name; a mistake points at it and names one that is there. */
static enum outcome load_zone(struct parser *parser, size_t start, struct slice name,
                              const struct local_zone **zone)
{
    *zone = local_zone_load(name, parser->arena);
    if (*zone == NULL) {
        return parser_fail(parser, start, hint_zone(parser, name), "unknown time zone '%.*s'",
                           SLICE_ARGS(name));
    }
    return OUTCOME_OK;
}

/* One quoted argument of `time`: a format, or a zone, which has no "%". */
static enum outcome take_time_argument(struct parser *parser, struct time_reader *reader)
{
    size_t start = parser->at;
    struct slice text;
    size_t at = 0;
    if (parser_quoted(parser, &text) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    bool is_format =
        slice_is(text, "dsmr") || (text.length > 0 && memchr(text.data, '%', text.length) != NULL);
    if (!is_format && reader->count == 0) {
        return parser_fail(parser, start, format_hint, "filter \"time\" takes a format");
    }
    if (!is_format) {
        return load_zone(parser, start, text, &reader->zone);
    }
    if (reader->count == FORMATS_MAX) {
        return parser_fail(parser, start, NULL, "more than %d formats", FORMATS_MAX);
    }
    const char *format = arena_copy(parser->arena, text).data;
    if (!time_format_is_known(format, &at)) {
        return parser_fail(parser, parser_quoted_at(parser, start, at),
                           "as strptime(3), %f for a fraction", "unknown \"%.2s\" in a format",
                           format + at);
    }
    reader->formats[reader->count++] = format;
    return OUTCOME_OK;
}

/* 'FORMAT' …, or ('FORMAT', …), then perhaps 'ZONE'. */
enum outcome filter_parse_time(struct parser *parser, const struct filter *filter,
                               struct filter_arguments *arguments)
{
    struct time_reader *reader = arena_alloc(parser->arena, sizeof(*reader));
    *reader = (struct time_reader){0};
    arguments->compiled = reader;
    bool list = parser_take(parser, "(");
    parser_skip_space(parser);
    size_t start = parser->at;
    while (parser_peek(parser) == '\'') {
        if (take_time_argument(parser, reader) != OUTCOME_OK) {
            return OUTCOME_REJECT;
        }
        (void) parser_take(parser, ",");
        list = list && !parser_take(parser, ")");
        parser_skip_space(parser);
    }
    if (list) {
        return parser_fail(parser, parser->at, NULL, "\")\" expected");
    }
    if (reader->count == 0) {
        return parser_fail(parser, start, format_hint, "filter \"%s\" takes a format",
                           filter->name);
    }
    return OUTCOME_OK;
}

enum outcome filter_parse_zone(struct parser *parser, const struct filter *filter,
                               struct filter_arguments *arguments)
{
    struct time_reader *reader = arena_alloc(parser->arena, sizeof(*reader));
    *reader = (struct time_reader){0};
    arguments->compiled = reader;
    parser_skip_space(parser);
    size_t start = parser->at;
    struct slice name;
    if (parser_peek(parser) != '\'' || parser_quoted(parser, &name) != OUTCOME_OK) {
        return parser_fail(parser, start, "like 'Europe/Berlin'",
                           "filter \"%s\" takes the name of a time zone", filter->name);
    }
    return load_zone(parser, start, name, &reader->zone);
}

/* --- applying --------------------------------------------------------------------------------- */

/* The offset of a meter's winter or summer time without a zone is that of central Europe. */
static int32_t season_offset(const struct local_zone *zone, int64_t local, enum season season)
{
    bool daylight = season == SEASON_DAYLIGHT;
    if (zone == NULL) {
        return daylight ? 7200 : 3600;
    }
    return local_zone_offset_of(zone, local, daylight);
}

/* The moment as a time; without a zone of its own it is local time. */
static enum outcome make_time(struct value *value, const struct moment *moment,
                              const struct local_zone *zone, enum season season,
                              struct error *error)
{
    int64_t since_2000 = 0;
    int64_t time_us;
    if (moment->infinite != 0) {
        return OUTCOME_OK; /* the text stays as it is */
    }
    if (!moment_timestamp(moment, &since_2000) ||
        __builtin_add_overflow(since_2000, EPOCH_2000_US, &time_us)) {
        return filter_refuse(value, "is out of range", error);
    }
    int64_t local = time_us / SECOND_US - (time_us % SECOND_US < 0);
    int32_t offset = 0;
    if (season != SEASON_NONE) {
        offset = season_offset(zone, local, season);
    } else if (!moment->has_zone && zone != NULL) {
        offset = local_zone_offset(zone, local);
    }
    *value = value_time(time_us - offset * SECOND_US);
    value->zoneless = !moment->has_zone && zone == NULL && season == SEASON_NONE;
    return OUTCOME_OK;
}

enum outcome filter_time(struct value *value, const struct filter_call *call)
{
    const struct time_reader *reader = call->arguments->compiled;
    struct moment moment;
    enum season season;
    if (value->kind == VALUE_TIME) {
        return OUTCOME_OK;
    }
    if (!filter_is_text(value)) {
        return filter_refuse(value, "is not text", call->error);
    }
    struct slice text = filter_trimmed(value->text);
    assert(reader->count >= 1 && reader->count <= FORMATS_MAX);
    for (size_t i = 0; i < reader->count; i++) {
        if (time_format_parse(reader->formats[i], text, &moment, &season)) {
            return make_time(value, &moment, reader->zone, season, call->error);
        }
    }
    if (reader->count > 1) {
        return filter_refuse(value, "is not a time in the formats that are tried", call->error);
    }
    struct slice what =
        arena_printf(call->arena, "is not a time in the format '%s'", reader->formats[0]);
    return filter_refuse(value, what.data, call->error);
}

/* A time that `time` made of a text without offset. */
static void shift_local(struct value *value, const struct local_zone *zone)
{
    assert(value->kind == VALUE_TIME && value->zoneless);
    int64_t local = value->time_us / SECOND_US - (value->time_us % SECOND_US < 0);
    value->time_us -= local_zone_offset(zone, local) * SECOND_US;
    value->zoneless = false;
}

enum outcome filter_zone(struct value *value, const struct filter_call *call)
{
    const struct time_reader *reader = call->arguments->compiled;
    struct moment moment;
    assert(reader->zone != NULL);
    if (value->kind == VALUE_TIME) {
        if (value->zoneless) {
            shift_local(value, reader->zone);
        }
        return OUTCOME_OK;
    }
    if (value->kind == VALUE_NUMBER) {
        return filter_refuse(value, "is a bare number (write \"| unix_s\" or \"| time '%Y…'\")",
                             call->error);
    }
    if (value->kind != VALUE_TEXT || !moment_parse(value->text, &moment)) {
        return filter_refuse(value, "is not a time", call->error);
    }
    return make_time(value, &moment, reader->zone, SEASON_NONE, call->error);
}
