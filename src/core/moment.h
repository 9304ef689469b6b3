/*
 * moment: a date and a time as a text writes them. Pure.
 *
 *   2026-11-23                             date
 *   2026-11-23T03:29:30.123456789+01:00    "T", "t" or a space between; seconds, fraction and zone
 *                                          may be missing
 *   0044-03-15 12:00:00+00 BC              zones "Z", +hh, +hhmm, +hh:mm, +hh:mm:ss
 *   infinity, -infinity, epoch
 *
 * These are RFC 3339 and PostgreSQL's ISO form. All other spellings that PostgreSQL reads
 * independent of its settings are read as well (moment_words.c), such as:
 *
 *   2019/10/05    2020-Feb-05 08:06    20231114T221320Z    Tue, 14 Nov 2023 22:13:20 GMT
 *   03:04 PM      2023-318 (the day of the year)
 *
 * 03/04/2025 is not read, because its meaning depends on DateStyle; nor is a year of two digits
 * beside the name of a month.
 *
 * "24:00:00" is the next midnight and a second 60 the next minute, as in PostgreSQL.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_MOMENT_H
#define MQTT2PG_CORE_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "core/calendar.h"

struct moment {
    int infinite; /* -1, 0, 1 */
    struct civil_date date;
    bool has_time;
    bool has_zone;
    int64_t time_us; /* since midnight; at most a whole day */
    int64_t zone_us; /* east of Greenwich */
};

/* White space around the text is ignored. False: the text names no moment. */
bool moment_parse(struct slice text, struct moment *moment);

/* Microseconds since 2000-01-01 UTC, INT64_MIN and INT64_MAX for the infinities. A moment without
 * zone is taken as UTC. False when it is out of PostgreSQL's range. */
bool moment_timestamp(const struct moment *moment, int64_t *microseconds);

#endif
