/* SPDX-License-Identifier: MIT */
#include "core/moment_words.h"

#include <assert.h>
#include <strings.h>

#include "base/ascii.h"
#include "core/moment_scan.h"

enum { TEXT_BYTES_MAX = 128 }; /* MAXDATELEN of PostgreSQL */
enum { HALF_DAY_HOURS = 12 };
#define HOUR_US (3600 * SECOND_US)

/* What was read so far. */
struct words {
    struct moment *moment;
    int32_t year; /* -1: not yet, as with month and day */
    int32_t month;
    int32_t day;
    bool before_christ;
    int half; /* of the day: -1 none said, 0 AM, 1 PM */
};

static const char *const months[] = {"january",   "february", "march",    "april",
                                     "may",       "june",     "july",     "august",
                                     "september", "october",  "november", "december"};
static const char *const weekdays[] = {
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "mon", "tue",
    "tues",   "wed",     "weds",      "thu",      "thur",   "thurs",    "fri",    "sat", "sun",
};
static const char *const utc_words[] = {"utc", "gmt", "z", "zulu", "ut", "uct"};

static bool is_word(struct slice text, const char *word)
{
    return text.length == strlen(word) && strncasecmp(text.data, word, text.length) == 0;
}

static bool is_one_of(struct slice text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is_word(text, list[i])) {
            return true;
        }
    }
    return false;
}

/* 1 to 12, or 0: the whole name, or its first three letters, or "sept". */
static int32_t month_of(struct slice text)
{
    for (int32_t i = 0; i < 12; i++) {
        bool brief = text.length == 3 && strncasecmp(text.data, months[i], 3) == 0;
        if (brief || is_word(text, months[i])) {
            return i + 1;
        }
    }
    return is_word(text, "sept") ? 9 : 0;
}

static bool set_once(int32_t *field, int32_t number)
{
    bool unset = *field < 0;
    *field = number;
    return unset;
}

static struct slice take_run(struct moment_scan *scan, bool (*belongs)(char))
{
    const char *start = scan->at;
    while (scan->at < scan->end && belongs(*scan->at)) {
        scan->at++;
    }
    return slice_make(start, (size_t) (scan->at - start));
}

/* --- words ------------------------------------------------------------------------------------ */

static bool take_letters(struct words *words, struct slice word)
{
    int32_t month = month_of(word);
    if (month > 0) {
        return set_once(&words->month, month);
    }
    if (is_one_of(word, weekdays, sizeof(weekdays) / sizeof(weekdays[0]))) {
        return true;
    }
    if (is_one_of(word, utc_words, sizeof(utc_words) / sizeof(utc_words[0]))) {
        bool first = !words->moment->has_zone;
        words->moment->has_zone = true;
        return first;
    }
    if (is_word(word, "allballs")) { /* midnight UTC */
        bool first = !words->moment->has_zone && !words->moment->has_time;
        words->moment->has_zone = words->moment->has_time = true;
        return first;
    }
    if (is_word(word, "am") || is_word(word, "pm")) {
        bool first = words->half < 0 && words->moment->has_time;
        words->half = is_word(word, "pm");
        return first;
    }
    if (is_word(word, "bc")) {
        bool first = !words->before_christ;
        words->before_christ = true;
        return first;
    }
    return is_word(word, "ad") || is_word(word, "at") || is_word(word, "on");
}

/* "hhmm", "hhmmss", perhaps with a fraction: the time of ISO 8601's basic form. */
static bool take_basic_time(struct words *words, struct moment_scan *scan)
{
    struct slice digits = take_run(scan, ascii_is_digit);
    if (words->moment->has_time || (digits.length != 6 && digits.length != 4)) {
        return false;
    }
    const char *at = digits.data;
    assert(digits.length == 4 || digits.length == 6);
    int32_t hour = (at[0] - '0') * 10 + at[1] - '0';
    int32_t minute = (at[2] - '0') * 10 + at[3] - '0';
    int32_t second = digits.length == 6 ? (at[4] - '0') * 10 + at[5] - '0' : 0;
    int64_t fraction = 0;
    if (digits.length == 6 && scan->at < scan->end && *scan->at == '.') {
        scan->at++;
        fraction = moment_fraction(take_run(scan, ascii_is_digit));
    }
    words->moment->has_time = true;
    words->moment->time_us = ((hour * 60 + minute) * 60 + second) * SECOND_US + fraction;
    return minute < 60 && second <= 60 && words->moment->time_us <= DAY_US;
}

static bool take_clock(struct words *words, struct moment_scan *scan)
{
    bool first = !words->moment->has_time;
    words->moment->has_time = true;
    return first && moment_time(scan, 1, &words->moment->time_us);
}

/* What stands behind a time without a space: a zone, or letters. */
static bool take_behind_time(struct words *words, struct moment_scan *scan)
{
    if (scan->at < scan->end && (*scan->at == '+' || *scan->at == '-')) {
        bool first = !words->moment->has_zone;
        return moment_zone(scan, words->moment) && first;
    }
    if (scan->at < scan->end && ascii_is_letter(*scan->at)) {
        return take_letters(words, take_run(scan, ascii_is_letter));
    }
    return true;
}

static int32_t number_of(struct slice digits)
{
    int32_t number = 0;
    assert(digits.length <= 8);
    for (size_t i = 0; i < digits.length; i++) {
        number = number * 10 + (digits.data[i] - '0');
    }
    return number;
}

/* One part of a date that holds its month by name, or a part by itself. */
static bool take_part(struct words *words, struct slice part)
{
    if (ascii_is_letter(part.data[0])) {
        int32_t month = month_of(part);
        return month > 0 && set_once(&words->month, month);
    }
    if (part.length > 2) {
        return part.length >= 4 && part.length <= 7 && set_once(&words->year, number_of(part));
    }
    return set_once(&words->day, number_of(part));
}

/* Behind the year of "2023-318": the day of the year, three digits. */
static bool take_day_of_year(struct words *words, struct slice year, struct slice digits)
{
    assert(year.length == 4 && digits.length == 3);
    struct civil_date first = {.year = number_of(year), .month = 1, .day = 1};
    int32_t number = number_of(digits);
    struct civil_date date = calendar_date(calendar_days(first) + number - 1);
    return number > 0 && first.year > 0 && date.year == first.year &&
           set_once(&words->year, date.year) && set_once(&words->month, date.month) &&
           set_once(&words->day, date.day);
}

/* "2019/10/05", "2019.10.5", "2020-Feb-05", "05-Feb-2020": three parts with one separator, of
 * which the first has four digits or one is a name. */
static bool take_parted_date(struct words *words, struct moment_scan *scan, struct slice first,
                             char separator)
{
    struct slice parts[3] = {first};
    bool named = false;
    for (int i = 1; i < 3; i++) {
        if (scan->at == scan->end || *scan->at != separator) {
            return false;
        }
        scan->at++;
        bool letters = scan->at < scan->end && ascii_is_letter(*scan->at);
        parts[i] = take_run(scan, letters ? ascii_is_letter : ascii_is_digit);
        named = named || letters;
        if (parts[i].length == 0) {
            return false;
        }
        bool last = scan->at == scan->end || *scan->at != separator;
        if (i == 1 && last && !letters && first.length == 4 && parts[1].length == 3) {
            return take_day_of_year(words, first, parts[1]);
        }
    }
    named = named || ascii_is_letter(first.data[0]);
    if (named) {
        return take_part(words, parts[0]) && take_part(words, parts[1]) &&
               take_part(words, parts[2]);
    }
    return first.length >= 4 && first.length <= 7 && parts[1].length <= 2 && parts[2].length <= 2 &&
           set_once(&words->year, number_of(first)) &&
           set_once(&words->month, number_of(parts[1])) &&
           set_once(&words->day, number_of(parts[2]));
}

/* "20231114", perhaps with "T221320" behind it. */
static bool take_basic_date(struct words *words, struct moment_scan *scan, struct slice digits)
{
    assert(digits.length == 8);
    if (!set_once(&words->year, number_of(slice_make(digits.data, 4))) ||
        !set_once(&words->month, number_of(slice_make(digits.data + 4, 2))) ||
        !set_once(&words->day, number_of(slice_make(digits.data + 6, 2)))) {
        return false;
    }
    return scan->at == scan->end || *scan->at == 'T' || *scan->at == 't';
}

static bool take_number(struct words *words, struct moment_scan *scan)
{
    struct moment_scan start = *scan;
    struct slice digits = take_run(scan, ascii_is_digit);
    char next = scan->at < scan->end ? *scan->at : '\0';
    bool good;
    if (next == ':') {
        *scan = start;
        return take_clock(words, scan) && take_behind_time(words, scan);
    }
    if (next == '-' || next == '/' || (next == '.' && digits.length == 4)) {
        good = take_parted_date(words, scan, digits, next);
    } else if (digits.length == 8) {
        good = take_basic_date(words, scan, digits);
    } else if ((digits.length == 6 || digits.length == 4) && words->year >= 0) {
        *scan = start;
        return take_basic_time(words, scan) && take_behind_time(words, scan);
    } else {
        good = next == '\0' && take_part(words, digits);
    }
    if (good && scan->at < scan->end && (*scan->at == 'T' || *scan->at == 't')) {
        scan->at++;
        bool colon = scan->end - scan->at > 2 && (scan->at[1] == ':' || scan->at[2] == ':');
        good = (colon ? take_clock(words, scan) : take_basic_time(words, scan)) &&
               take_behind_time(words, scan);
    }
    return good;
}

static bool take_word(struct words *words, struct slice word)
{
    struct moment_scan scan = {word.data, word.data + word.length};
    bool good;
    assert(word.length > 0);
    if (ascii_is_digit(word.data[0])) {
        good = take_number(words, &scan);
    } else if (ascii_is_letter(word.data[0])) {
        struct slice letters = take_run(&scan, ascii_is_letter);
        char next = scan.at < scan.end ? *scan.at : '\0';
        bool date = next == '-' || next == '/';
        good = date ? take_parted_date(words, &scan, letters, next) : take_letters(words, letters);
    } else {
        good = words->moment->has_time && take_behind_time(words, &scan);
    }
    return good && scan.at == scan.end;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* 12 AM is midnight, 12 PM is noon. */
static bool apply_half(struct words *words)
{
    if (words->half < 0) {
        return true;
    }
    assert(words->half <= 1);
    int64_t hour = words->moment->time_us / HOUR_US;
    if (hour > HALF_DAY_HOURS) {
        return false;
    }
    hour = hour % HALF_DAY_HOURS + words->half * HALF_DAY_HOURS;
    words->moment->time_us = hour * HOUR_US + words->moment->time_us % HOUR_US;
    return true;
}

/* Reads all words of the text. */
static bool take_words(struct words *words, struct slice text)
{
    const char *at = text.data;
    const char *end = text.data + text.length;
    if (text.length > TEXT_BYTES_MAX) {
        return false;
    }
    while (at < end) {
        const char *start = at;
        while (at < end && memchr(" \t\n\v\f\r,_", *at, 8) == NULL) {
            at++;
        }
        if (at > start && !take_word(words, slice_make(start, (size_t) (at - start)))) {
            return false;
        }
        at += at < end;
    }
    return true;
}

static bool finish(struct words *words)
{
    if (words->year <= 0 || words->month < 0 || words->day < 0 || !apply_half(words)) {
        return false;
    }
    words->moment->date = (struct civil_date){
        .year = words->before_christ ? 1 - words->year : words->year,
        .month = words->month,
        .day = words->day,
    };
    return calendar_is_valid(words->moment->date);
}

bool moment_parse_words(struct slice text, struct moment *moment)
{
    struct words words = {.moment = moment, .year = -1, .month = -1, .day = -1, .half = -1};
    *moment = (struct moment){0};
    return take_words(&words, text) && finish(&words);
}

bool moment_parse_time_words(struct slice text, struct moment *moment)
{
    struct words words = {.moment = moment, .year = -1, .month = -1, .day = -1, .half = -1};
    *moment = (struct moment){0};
    return take_words(&words, text) && words.year < 0 && words.month < 0 && words.day < 0 &&
           !words.before_christ && moment->has_time && apply_half(&words);
}
