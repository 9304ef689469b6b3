/* SPDX-License-Identifier: MIT */
#include "pg/partition_plan.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/calendar.h"
#include "pg/pg_quote.h"

/* Monday, 2000-01-03: spans of a week begin on Mondays. */
#define ORIGIN_US (EPOCH_2000_US + 2 * DAY_US)

/* The largest multiple of `every_us` since the origin that is not later. */
static int64_t floor_us(int64_t us, int64_t every_us)
{
    int64_t offset = (us - ORIGIN_US) % every_us;

    return us - (offset < 0 ? offset + every_us : offset);
}

bool partition_span(const struct span *list, size_t count, int64_t every_us, int64_t at_us,
                    struct span *span)
{
    assert(every_us > 0 && (count == 0 || list != NULL));
    span->from_us = floor_us(at_us, every_us);
    span->to_us = span->from_us + every_us;
    for (size_t i = 0; i < count; i++) {
        if (list[i].from_us <= at_us && at_us < list[i].to_us) {
            return false;
        }
        if (list[i].to_us <= at_us && list[i].to_us > span->from_us) {
            span->from_us = list[i].to_us;
        }
        if (list[i].from_us > at_us && list[i].from_us < span->to_us) {
            span->to_us = list[i].from_us;
        }
    }
    assert(span->from_us <= at_us && at_us < span->to_us);
    return true;
}

/* Each step moves past one span of the list, so there are at most `count` steps. */
bool partition_next_gap(const struct span *list, size_t count, int64_t every_us, struct span within,
                        struct span *gap)
{
    int64_t at_us = within.from_us;

    for (size_t i = 0; i < count; i++) {
        if (list[i].from_us <= at_us && at_us < list[i].to_us) {
            at_us = list[i].to_us;
            i = SIZE_MAX; /* from the beginning: the list has no order */
        }
    }
    return at_us < within.to_us && partition_span(list, count, every_us, at_us, gap);
}

int64_t partition_ahead_us(int64_t every_us, int64_t now_us)
{
    return floor_us(now_us, every_us) + (PARTITIONS_AHEAD + 1) * every_us;
}

bool partition_is_old(const struct span *span, int64_t now_us, int64_t keep_us)
{
    assert(keep_us >= 0);
    return keep_us > 0 && span->to_us <= now_us - keep_us;
}

/* A time of the day, and the day. */
struct moment_parts {
    struct civil_date date;
    int64_t second; /* of the day */
    int64_t us;     /* of the second */
};

static struct moment_parts take_apart(int64_t us)
{
    int64_t since_2000 = us - EPOCH_2000_US;
    int64_t days = since_2000 / DAY_US - (since_2000 % DAY_US < 0 ? 1 : 0);
    int64_t of_day = since_2000 - days * DAY_US;

    assert(of_day >= 0 && of_day < DAY_US);
    return (struct moment_parts){calendar_date(days), of_day / SECOND_US, of_day % SECOND_US};
}

void partition_append_time(struct buf *out, int64_t us)
{
    struct moment_parts parts = take_apart(us);

    buf_printf(out, "%04d-%02d-%02d %02d:%02d:%02d", (int) parts.date.year, (int) parts.date.month,
               (int) parts.date.day, (int) (parts.second / 3600), (int) (parts.second / 60 % 60),
               (int) (parts.second % 60));
    if (parts.us > 0) {
        buf_printf(out, ".%06d", (int) parts.us);
    }
    buf_append_text(out, "+00");
}

/* FNV-1a, 32 bits: tells apart names that begin alike. */
static uint32_t checksum(const char *text)
{
    uint32_t sum = UINT32_C(2166136261);

    for (; *text != '\0'; text++) {
        sum = (sum ^ (uint8_t) *text) * UINT32_C(16777619);
    }
    return sum;
}

void partition_append_cut(struct buf *out, const char *table, const char *suffix)
{
    enum { CHECKSUM_BYTES = 9 };
    size_t length = strlen(table);
    size_t room = PG_IDENTIFIER_MAX - strlen(suffix);

    assert(strlen(suffix) + CHECKSUM_BYTES < PG_IDENTIFIER_MAX);
    if (length <= room) {
        buf_printf(out, "%s%s", table, suffix);
        return;
    }
    length = room - CHECKSUM_BYTES;
    while ((table[length] & 0xC0) == 0x80) { /* not inside of a character of UTF-8 */
        length--;
    }
    buf_append(out, table, length);
    buf_printf(out, "_%08" PRIx32 "%s", checksum(table), suffix);
}

void partition_append_name(struct buf *out, const char *table, int64_t from_us)
{
    struct moment_parts parts = take_apart(from_us);
    char suffix[48];
    size_t length;

    length = (size_t) snprintf(suffix, sizeof(suffix), "_p%04d%02d%02d", (int) parts.date.year,
                               (int) parts.date.month, (int) parts.date.day);
    if (parts.second > 0 || parts.us > 0) {
        length += (size_t) snprintf(suffix + length, sizeof(suffix) - length, "_%02d%02d",
                                    (int) (parts.second / 3600), (int) (parts.second / 60 % 60));
    }
    if (parts.second % 60 > 0 || parts.us > 0) {
        length += (size_t) snprintf(suffix + length, sizeof(suffix) - length, "%02d",
                                    (int) (parts.second % 60));
    }
    if (parts.us > 0) {
        length +=
            (size_t) snprintf(suffix + length, sizeof(suffix) - length, "_%06d", (int) parts.us);
    }
    assert(length < sizeof(suffix));
    partition_append_cut(out, table, suffix);
}
