/*
 * partition_plan: computes which partitions a table lacks, and which are older than `keep`. Pure.
 *
 *          keep                                now         PARTITIONS_AHEAD
 *   ───────┼────────────────────────────────────┼───────────────┼──────▶ time
 *   [ old ][      ][      ]   …   [      ][   here  ][ made ][ made ][ made ]
 *    dropped   made when rows of that time come
 *
 * Times are microseconds since 1970. Partitions begin at multiples of their span since Monday,
 * 2000-01-03, in UTC. Where other partitions are there already, of another span or made by a
 * person, a new one is cut to the gap between them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_PARTITION_PLAN_H
#define MQTT2PG_PG_PARTITION_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* How many partitions are made ahead of the present one. */
enum { PARTITIONS_AHEAD = 3 };

/* From `from_us` to before `to_us`. */
struct span {
    int64_t from_us;
    int64_t to_us;
};

/* The part of the span around `at_us` that no span of the list covers, as one piece around `at_us`.
 * False: a span of the list has `at_us` already. */
bool partition_span(const struct span *list, size_t count, int64_t every_us, int64_t at_us,
                    struct span *span);

/* The first gap at or behind `within.from_us`, cut like above. False: the list covers all of
 * `within`. */
bool partition_next_gap(const struct span *list, size_t count, int64_t every_us, struct span within,
                        struct span *gap);

/* The end of the last span that is made ahead: PARTITIONS_AHEAD spans after the present one. */
int64_t partition_ahead_us(int64_t every_us, int64_t now_us);

/* Is all of the span older than `keep_us` before now? Never with keep_us 0. */
bool partition_is_old(const struct span *span, int64_t now_us, int64_t keep_us);

/* Appends a time as PostgreSQL reads it for each of timestamptz, timestamp and date: "2026-11-29
 * 00:00:00+00". */
void partition_append_time(struct buf *out, int64_t us);

/* Appends the name for the partition that begins there, without quotes: "telemetry_p20261129",
 * "telemetry_p20261129_1400"; seconds and microseconds only where there are some. A name that would
 * be too long for PostgreSQL is cut, and a checksum of the whole name stands behind it. */
void partition_append_name(struct buf *out, const char *table, int64_t from_us);

/* Appends `table` and `suffix`, cut in the same way. */
void partition_append_cut(struct buf *out, const char *table, const char *suffix);

#endif
