/* SPDX-License-Identifier: MIT */
#include "core/moment.h"

#include <assert.h>
#include <strings.h>

#include "base/ascii.h"
#include "core/moment_scan.h"
#include "core/moment_words.h"

enum { YEAR_DIGITS_MIN = 4, YEAR_DIGITS_MAX = 7 };

static bool is_word(struct slice text, const char *word)
{
    return text.length == strlen(word) && strncasecmp(text.data, word, text.length) == 0;
}

static bool take_date(struct moment_scan *scan, struct civil_date *date)
{
    return moment_digits(scan, YEAR_DIGITS_MIN, YEAR_DIGITS_MAX, &date->year) &&
           moment_take(scan, '-') && moment_digits(scan, 2, 2, &date->month) &&
           moment_take(scan, '-') && moment_digits(scan, 2, 2, &date->day);
}

static void skip_spaces(struct moment_scan *scan)
{
    while (moment_take(scan, ' ')) {
    }
}

/* The end of the text, perhaps with " BC" before it. */
static bool take_end(struct moment_scan *scan, struct civil_date *date)
{
    skip_spaces(scan);
    assert(scan->at <= scan->end);
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
    moment->has_time = moment_take(&scan, 'T') || moment_take(&scan, 't');
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
    if (is_word(text, "epoch")) {
        *moment = (struct moment){.date = {1970, 1, 1}, .has_time = true, .has_zone = true};
        return true;
    }
    if (parse_infinity(text, &moment->infinite) || parse_iso(text, moment)) {
        return true;
    }
    return moment_parse_words(text, moment);
}

bool moment_timestamp(const struct moment *moment, int64_t *microseconds)
{
    assert(moment->infinite >= -1 && moment->infinite <= 1);
    if (moment->infinite != 0) {
        *microseconds = moment->infinite < 0 ? INT64_MIN : INT64_MAX;
        return true;
    }
    int64_t midnight;
    return !__builtin_mul_overflow(calendar_days(moment->date), DAY_US, &midnight) &&
           !__builtin_add_overflow(midnight, moment->time_us - moment->zone_us, microseconds) &&
           *microseconds >= TIMESTAMP_MIN && *microseconds < TIMESTAMP_END;
}
