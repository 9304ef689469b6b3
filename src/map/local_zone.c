/*
 *   TZif file:  header, data with 32-bit times, header, data with 64-bit times, "\n" rule "\n"
 *   data:       times[timecnt], types[timecnt], {offset, is_dst, name}[typecnt], names, leaps,
 *               flags
 *
 * For times behind the last one in the file the rule applies ("CET-1CEST,M3.5.0,M10.5.0/3", POSIX
 * TZ). Loading the file adds the rule's changes up to RULE_LAST_YEAR to the list, so that one
 * search serves all times.
 *
 * PostgreSQL's rules for local times (DetermineTimeZoneOffset() in datetime.c), with the clocks
 * of Europe/Berlin:
 *
 *   2024-03-31 02:30   does not exist: counted with the offset before the change, so 01:30 UTC
 *   2024-10-27 02:30   exists twice: the later one, standard time, so 01:30 UTC
 *
 * The tests compare with the server's own answers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/local_zone.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/file.h"
#include "core/calendar.h"

enum {
    HEADER_BYTES = 44,
    TYPE_BYTES = 6,
    NAME_BYTES_MAX = 64,
    FILE_BYTES_MAX = 1024 * 1024,
    RULE_LAST_YEAR = 2200,
    DAY_S = 86400,
    EPOCH_2000_DAYS = 10957,
};

/* From this moment on local time has this offset. */
struct change {
    int64_t at;     /* seconds since 1970, UTC */
    int32_t offset; /* seconds east of UTC */
    bool daylight;  /* is it daylight saving time? */
};

struct local_zone {
    struct change *changes; /* in order; the first one's `at` is INT64_MIN */
    size_t count;
};

/* --- the file --------------------------------------------------------------------------------- */

/* The counts of a header, in the order of the file. */
struct header {
    uint32_t utc_flags, standard_flags, leaps, times, types, name_bytes;
};

/* Takes a header off the front of `rest`. A count beyond the size of a file is no header, so
 * sums of counts can't overflow. */
static bool read_header(struct slice *rest, struct header *header)
{
    if (rest->length < HEADER_BYTES || memcmp(rest->data, "TZif", 4) != 0) {
        return false;
    }
    uint32_t *counts[] = {&header->utc_flags, &header->standard_flags, &header->leaps,
                          &header->times,     &header->types,          &header->name_bytes};
    for (size_t i = 0; i < 6; i++) {
        *counts[i] = bytes_get_be32(rest->data + 20 + 4 * i);
        if (*counts[i] > FILE_BYTES_MAX) {
            return false;
        }
    }
    *rest = slice_make(rest->data + HEADER_BYTES, rest->length - HEADER_BYTES);
    return header->types > 0;
}

/* Bytes of the data behind a header, whose times have `time_bytes` each. */
static size_t data_bytes(const struct header *header, size_t time_bytes)
{
    assert(time_bytes == 4 || time_bytes == 8);
    return header->times * (time_bytes + 1) + header->types * (size_t) TYPE_BYTES +
           header->name_bytes + header->leaps * (time_bytes + 4) + header->standard_flags +
           header->utc_flags;
}

/* The caller has made room for it. */
static void add_change(struct local_zone *zone, int64_t at, int32_t offset, bool daylight)
{
    zone->changes[zone->count++] =
        (struct change){.at = at, .offset = offset, .daylight = daylight};
}

/* A change to the type with this number; false when the file has no such type. */
static bool add_type(struct local_zone *zone, int64_t at, const char *types, uint8_t type,
                     const struct header *header)
{
    if (type >= header->types) {
        return false;
    }
    const char *entry = types + (size_t) type * TYPE_BYTES;
    add_change(zone, at, (int32_t) bytes_get_be32(entry), entry[4] != 0);
    return true;
}

/* The 64-bit data, whose bytes are all there. */
static bool read_data(struct local_zone *zone, const char *data, const struct header *header)
{
    const char *type_numbers = data + (size_t) header->times * 8;
    const char *types = type_numbers + header->times;
    bool good = add_type(zone, INT64_MIN, types, 0, header);
    for (uint32_t i = 0; good && i < header->times; i++) {
        good = add_type(zone, (int64_t) bytes_get_be64(data + (size_t) i * 8), types,
                        (uint8_t) type_numbers[i], header);
    }
    return good;
}

/* --- the rule --------------------------------------------------------------------------------- */

/* One of the two changes of a year: "M3.5.0/2". */
struct rule_date {
    char kind; /* 'M', 'J' or '0' */
    int month, week, day;
    int32_t time; /* seconds of the local day */
};

/* The rule at the end of the file, a TZ string as in POSIX, for years beyond the file's list: x */
struct rule {
    int32_t standard; /* seconds east */
    int32_t daylight;
    struct rule_date begins, ends; /* of daylight saving */
};

/* At most three digits off the front of a text that ends in NUL. */
static bool take_integer(const char **at, int *number)
{
    char *end;
    bool digit = ascii_is_digit(**at);
    long value = strtol(*at, &end, 10);
    *number = (int) value;
    *at = end;
    return digit && value >= 0 && value < 1000;
}

/* "CET", "<+03>". */
static bool skip_abbreviation(const char **at)
{
    const char *start = *at;
    if (**at == '<') {
        *at += strcspn(*at, ">");
        *at += **at == '>';
        return true;
    }
    while (ascii_is_letter(**at)) {
        ++*at;
    }
    return *at - start >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool take_clock(const char **at, int32_t *seconds)
{
    int sign = **at == '-' ? -1 : 1;
    *at += **at == '-' || **at == '+';
    int parts[3] = {0};
    bool good = take_integer(at, &parts[0]);
    for (int i = 1; good && i < 3 && **at == ':'; i++) {
        ++*at;
        good = take_integer(at, &parts[i]);
    }
    *seconds = sign * ((parts[0] * 60 + parts[1]) * 60 + parts[2]);
    return good;
}

/* ",M3.5.0/2", ",J60", ",59": one change of the year. Without a time it is at 02:00. */
static bool take_rule_date(const char **at, struct rule_date *date)
{
    *date = (struct rule_date){.kind = '0', .time = 2 * 3600};
    bool good = *(*at)++ == ',';
    if (good && (**at == 'M' || **at == 'J')) {
        date->kind = *(*at)++;
    }
    if (good && date->kind == 'M') {
        good = take_integer(at, &date->month) && *(*at)++ == '.' && take_integer(at, &date->week) &&
               *(*at)++ == '.' && take_integer(at, &date->day) && date->month >= 1 &&
               date->month <= 12 && date->week >= 1 && date->week <= 5 && date->day <= 6;
    } else if (good) {
        good = take_integer(at, &date->day);
    }
    if (good && **at == '/') {
        ++*at;
        good = take_clock(at, &date->time);
    }
    return good;
}

/* False also for a rule without daylight saving: the file's last change goes on. */
static bool parse_rule(const char *at, struct rule *rule)
{
    int32_t west;
    if (!skip_abbreviation(&at) || !take_clock(&at, &west)) {
        return false;
    }
    rule->standard = -west;
    rule->daylight = rule->standard + 3600;
    if (*at == '\0' || !skip_abbreviation(&at)) {
        return false;
    }
    if (*at != ',') {
        if (!take_clock(&at, &west)) {
            return false;
        }
        rule->daylight = -west;
    }
    return take_rule_date(&at, &rule->begins) && take_rule_date(&at, &rule->ends) && *at == '\0';
}

/* Days since 1970. */
static int64_t days_of(int32_t year, int32_t month, int32_t day)
{
    struct civil_date date = {.year = year, .month = month, .day = day};
    return calendar_days(date) + EPOCH_2000_DAYS;
}

/* The day on which the change falls in this year, counted since 1970. */
static int64_t rule_day(const struct rule_date *date, int32_t year)
{
    assert(date->kind == 'M' || date->kind == 'J' || date->kind == '0');
    if (date->kind != 'M') {
        int64_t day = days_of(year, 1, 1) + date->day;
        struct civil_date leap = {.year = year, .month = 2, .day = 29};
        bool counts_leap_day = date->kind == '0' || (date->day >= 60 && calendar_is_valid(leap));
        return date->kind == 'J' && !counts_leap_day ? day - 1 : day;
    }
    int64_t first = days_of(year, date->month, 1);
    int64_t weekday = (first % 7 + 11) % 7; /* 1970-01-01 was a Thursday */
    int64_t day = first + (date->day - weekday + 7) % 7 + (int64_t) (date->week - 1) * 7;
    int64_t next = date->month == 12 ? days_of(year + 1, 1, 1) : days_of(year, date->month + 1, 1);
    return day < next ? day : day - 7;
}

/* Writes the rule's changes out, behind those of the file. */
static void add_rule(struct local_zone *zone, const struct rule *rule)
{
    assert(zone->count > 0);
    int64_t last = zone->changes[zone->count - 1].at;
    for (int32_t year = 1970; year <= RULE_LAST_YEAR; year++) {
        int64_t begins = rule_day(&rule->begins, year) * DAY_S + rule->begins.time - rule->standard;
        int64_t ends = rule_day(&rule->ends, year) * DAY_S + rule->ends.time - rule->daylight;
        bool north = begins < ends;
        for (int i = 0; i < 2; i++) {
            bool daylight = north == (i == 0);
            int64_t at = daylight ? begins : ends;
            if (at > last) {
                add_change(zone, at, daylight ? rule->daylight : rule->standard, daylight);
                last = at;
            }
        }
    }
}

/* --- loading ---------------------------------------------------------------------------------- */

/* `rest` begins at the header of the 64-bit data. */
static struct local_zone *parse_zone(struct slice rest, struct arena *arena)
{
    struct header header;
    if (!read_header(&rest, &header) || rest.length < data_bytes(&header, 8)) {
        return NULL;
    }
    size_t room = header.times + 1 + 2 * (RULE_LAST_YEAR - 1970 + 1);
    struct local_zone *zone = arena_alloc(arena, sizeof(*zone));
    *zone = (struct local_zone){.changes = arena_alloc(arena, room * sizeof(struct change))};
    if (!read_data(zone, rest.data, &header)) {
        return NULL;
    }
    size_t bytes = data_bytes(&header, 8);
    struct slice footer = slice_make(rest.data + bytes, rest.length - bytes);
    struct rule rule;
    if (footer.length > 2 && footer.data[0] == '\n' && footer.data[footer.length - 1] == '\n') {
        struct slice text = slice_make(footer.data + 1, footer.length - 2);
        if (parse_rule(arena_copy(arena, text).data, &rule)) {
            add_rule(zone, &rule);
        }
    }
    assert(zone->count <= room);
    return zone;
}

/* Letters, digits, "_", "+", "-" and "/" between them: nothing that leads out of the folder. */
static bool is_name(struct slice name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";
    bool good = name.length > 0 && name.length < NAME_BYTES_MAX && name.data[0] != '/';
    for (size_t i = 0; good && i < name.length; i++) {
        good = memchr(allowed, name.data[i], sizeof(allowed) - 1) != NULL;
    }
    return good;
}

/* A file of tzdata. */
static bool load_file(const char *name, struct arena *arena, struct buf *file)
{
    const char *folder = getenv("TZDIR");
    struct error error;
    bool own = folder != NULL && folder[0] == '/';
    struct slice path = arena_printf(arena, "%s/%s", own ? folder : "/usr/share/zoneinfo", name);
    return file_load(path.data, FILE_BYTES_MAX, file, &error) == OUTCOME_OK;
}

const struct local_zone *local_zone_load(struct slice name, struct arena *arena)
{
    struct buf file = {0};
    struct local_zone *zone = NULL;
    if (is_name(name) && load_file(arena_copy(arena, name).data, arena, &file)) {
        struct slice rest = buf_slice(&file);
        struct header header;
        if (read_header(&rest, &header) && rest.length >= data_bytes(&header, 4)) {
            size_t bytes = data_bytes(&header, 4);
            zone = parse_zone(slice_make(rest.data + bytes, rest.length - bytes), arena);
        }
    }
    buf_fini(&file);
    return zone;
}

/* The third column of a line of zone.tab; empty for a comment and the like. */
static struct slice zone_of_line(struct slice line)
{
    struct slice column = {0};
    for (int i = 0; i < 3; i++) {
        const char *tab = line.length > 0 ? memchr(line.data, '\t', line.length) : NULL;
        column = line;
        column.length = tab != NULL ? (size_t) (tab - line.data) : line.length;
        size_t taken = column.length + (tab != NULL);
        line = slice_make(line.data + taken, line.length - taken);
    }
    return column;
}

void local_zone_names(struct arena *arena, struct zone_names *names)
{
    struct buf file = {0};
    size_t capacity = 0;
    *names = (struct zone_names){0};
    if (load_file("zone.tab", arena, &file)) {
        struct slice rest = buf_slice(&file);
        capacity = 1;
        for (size_t i = 0; i < rest.length; i++) {
            capacity += rest.data[i] == '\n';
        }
        names->list = arena_alloc(arena, capacity * sizeof(names->list[0]));
        while (rest.length > 0) {
            const char *end = memchr(rest.data, '\n', rest.length);
            size_t length = end != NULL ? (size_t) (end - rest.data) : rest.length;
            struct slice zone = zone_of_line(slice_make(rest.data, length));
            if (zone.length > 0 && rest.data[0] != '#') {
                names->list[names->count++] = arena_copy(arena, zone).data;
            }
            length += end != NULL;
            rest = slice_make(rest.data + length, rest.length - length);
        }
    }
    assert(names->count <= capacity);
    buf_fini(&file);
}

/* --- asking ----------------------------------------------------------------------------------- */

/* The last change that is reached when a clock with the offset before the change shows `local`. The
 * first one, which has no offset before it, always is. */
static size_t find_change(const struct local_zone *zone, int64_t local)
{
    assert(zone->count > 0);
    size_t low = 0;
    size_t high = zone->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        int64_t shown = zone->changes[middle].at + zone->changes[middle - 1].offset;
        if (shown <= local) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

int32_t local_zone_offset(const struct local_zone *zone, int64_t local)
{
    /* Going back, the local hour before the change is shown again behind it: the later one counts.
     * So the change is reached when the clock behind it shows `local`. */
    size_t at = find_change(zone, local);
    const struct change *changes = zone->changes;
    assert(at < zone->count);
    while (at + 1 < zone->count && changes[at + 1].at + changes[at + 1].offset <= local &&
           changes[at + 1].offset < changes[at].offset) {
        at++;
    }
    /* Going forward, the clock jumps over an hour: what lies in it is counted as before. */
    if (at > 0 && changes[at].offset > changes[at - 1].offset &&
        local < changes[at].at + changes[at].offset) {
        at--;
    }
    return changes[at].offset;
}

int32_t local_zone_offset_of(const struct local_zone *zone, int64_t local, bool daylight)
{
    size_t at = find_change(zone, local);
    const struct change *changes = zone->changes;
    for (size_t i = at + 1; i > 0 && at - (i - 1) < 4; i--) {
        if (changes[i - 1].daylight == daylight) {
            return changes[i - 1].offset;
        }
    }
    for (size_t i = at + 1; i < zone->count && i - at < 4; i++) {
        if (changes[i].daylight == daylight) {
            return changes[i].offset;
        }
    }
    return changes[at].offset + (daylight ? 3600 : 0);
}
