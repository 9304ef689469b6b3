/*
 * The metrics are sorted once, when the BIRTH comes, and searched for each metric of DATA: a BIRTH
 * is rare and may have ten thousand metrics. Reading uses the content in place, with the same bytes
 * in memory and in the table, so nothing is parsed or freed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/sparkplug_birth.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"

enum { HEADER_BYTES = 17, METRIC_BYTES = 20, INDEX_BYTES = 4 };
enum { FLAG_BDSEQ = 1, STATE_SHIFT = 1, STATE_MASK = 3, BROKER_SHIFT = 4 };

static int compare_names(struct slice a, struct slice b)
{
    size_t length = a.length < b.length ? a.length : b.length;
    int order = length == 0 ? 0 : memcmp(a.data, b.data, length);
    if (order == 0 && a.length != b.length) {
        order = a.length < b.length ? -1 : 1;
    }
    return order;
}

/* Order for qsort(): by alias, metrics without one last. */
static int by_alias(const void *left, const void *right)
{
    const struct birth_metric *a = left;
    const struct birth_metric *b = right;
    if (a->has_alias != b->has_alias) {
        return a->has_alias ? -1 : 1;
    }
    return (a->alias > b->alias) - (a->alias < b->alias);
}

/* For sorting an index by name, while the metrics themselves stay sorted by alias. */
struct named {
    struct slice name;
    uint32_t index;
};

static int by_name(const void *left, const void *right)
{
    return compare_names(((const struct named *) left)->name, ((const struct named *) right)->name);
}

/* How many bytes the metrics, their index and names take. */
static size_t body_bytes(const struct birth_metric *metrics, size_t count)
{
    size_t bytes = count * (METRIC_BYTES + INDEX_BYTES);
    for (size_t i = 0; i < count; i++) {
        bytes += metrics[i].name.length;
    }
    return bytes;
}

static void put_index(char *at, const struct birth_metric *metrics, size_t count,
                      struct arena *arena)
{
    assert(count <= UINT32_MAX);
    struct named *names = arena_alloc(arena, (count + 1) * sizeof(*names));
    for (size_t i = 0; i < count; i++) {
        names[i] = (struct named){metrics[i].name, (uint32_t) i};
    }
    qsort(names, count, sizeof(*names), by_name);
    for (size_t i = 0; i < count; i++) {
        bytes_put_le32(at + i * INDEX_BYTES, names[i].index);
    }
}

static void put_head(char *content, const struct birth_head *head, size_t count, uint32_t aliases)
{
    unsigned flags = (head->has_bdseq ? FLAG_BDSEQ : 0) | (unsigned) head->state << STATE_SHIFT |
                     (unsigned) head->broker << BROKER_SHIFT;
    assert(flags <= UINT8_MAX && aliases <= count);
    content[0] = (char) flags;
    bytes_put_le64(content + 1, head->has_bdseq ? head->bdseq : 0);
    bytes_put_le32(content + 9, (uint32_t) count);
    bytes_put_le32(content + 13, aliases);
}

struct slice sparkplug_birth_write(struct birth_head head, struct birth_metric *metrics,
                                   size_t count, struct arena *arena)
{
    assert(head.state == BIRTH_READ || count == 0);
    if (HEADER_BYTES + body_bytes(metrics, count) > SPARKPLUG_BIRTH_BYTES_MAX) {
        head.state = BIRTH_TOO_LARGE;
        count = 0;
    }
    size_t length = HEADER_BYTES + body_bytes(metrics, count);
    char *content = arena_alloc(arena, length);
    uint32_t aliases = 0;
    if (count > 0) {
        qsort(metrics, count, sizeof(*metrics), by_alias);
    }
    char *metric = content + HEADER_BYTES;
    char *index = metric + count * METRIC_BYTES;
    char *name = index + count * INDEX_BYTES;
    for (size_t i = 0; i < count; i++, metric += METRIC_BYTES) {
        aliases += metrics[i].has_alias;
        bytes_put_le64(metric, metrics[i].alias);
        bytes_put_le32(metric + 8, metrics[i].datatype);
        bytes_put_le32(metric + 12, (uint32_t) (name - content));
        bytes_put_le32(metric + 16, (uint32_t) metrics[i].name.length);
        if (metrics[i].name.length > 0) {
            memcpy(name, metrics[i].name.data, metrics[i].name.length);
        }
        name += metrics[i].name.length;
    }
    assert(name == content + length && length <= SPARKPLUG_BIRTH_BYTES_MAX);
    put_index(index, metrics, count, arena);
    put_head(content, &head, count, aliases);
    return slice_make(content, length);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The content may come out of a table that anybody may have changed: each offset is checked before
 * it is used, and a content that makes no sense has no metrics. */

/* How many metrics the content has room for as it says; 0 where it says more than it has. */
static uint32_t count_of(struct slice content)
{
    uint32_t count = content.length < HEADER_BYTES ? 0 : bytes_get_le32(content.data + 9);
    size_t room = content.length < HEADER_BYTES ? 0 : content.length - HEADER_BYTES;
    return count > room / (METRIC_BYTES + INDEX_BYTES) ? 0 : count;
}

static bool metric_at(struct slice content, uint32_t i, struct birth_metric *metric)
{
    const char *at = content.data + HEADER_BYTES + (size_t) i * METRIC_BYTES;
    assert(HEADER_BYTES + ((size_t) i + 1) * METRIC_BYTES <= content.length); /* see count_of() */
    size_t offset = bytes_get_le32(at + 12);
    size_t length = bytes_get_le32(at + 16);
    if (offset > content.length || length > content.length - offset) {
        return false;
    }
    *metric = (struct birth_metric){.name = slice_make(content.data + offset, length),
                                    .alias = bytes_get_le64(at),
                                    .datatype = bytes_get_le32(at + 8)};
    return true;
}

bool sparkplug_birth_head(struct slice content, struct birth_head *head)
{
    if (content.length < HEADER_BYTES) {
        return false;
    }
    unsigned flags = (unsigned char) content.data[0];
    unsigned state = flags >> STATE_SHIFT & STATE_MASK;
    *head = (struct birth_head){.state = (enum birth_state) state,
                                .broker = (uint8_t) (flags >> BROKER_SHIFT),
                                .has_bdseq = (flags & FLAG_BDSEQ) != 0,
                                .bdseq = bytes_get_le64(content.data + 1)};
    return state <= BIRTH_UNREADABLE;
}

/* Binary search among those with an alias, which stand first. */
bool sparkplug_birth_by_alias(struct slice content, uint64_t alias, struct birth_metric *metric)
{
    uint32_t low = 0;
    uint32_t count = count_of(content);
    uint32_t high = count == 0 ? 0 : bytes_get_le32(content.data + 13);
    high = high < count ? high : count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (!metric_at(content, middle, metric)) {
            return false;
        }
        if (metric->alias == alias) {
            metric->has_alias = true;
            return true;
        }
        low = metric->alias < alias ? middle + 1 : low;
        high = metric->alias < alias ? high : middle;
    }
    return false;
}

/* Binary search by the index behind the metrics. */
bool sparkplug_birth_by_name(struct slice content, struct slice name, struct birth_metric *metric)
{
    uint32_t low = 0;
    uint32_t count = count_of(content);
    uint32_t high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const char *index = content.data + HEADER_BYTES + (size_t) count * METRIC_BYTES +
                            (size_t) middle * INDEX_BYTES;
        uint32_t place = bytes_get_le32(index);
        if (place >= count || !metric_at(content, place, metric)) {
            return false;
        }
        int order = compare_names(metric->name, name);
        if (order == 0) {
            return true;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return false;
}
