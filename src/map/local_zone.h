/*
 * local_zone: local times of a zone of the system's database (RFC 8536), as PostgreSQL resolves
 * them.
 *
 * Where clocks go forward, a time that does not exist is counted with the offset before the change;
 * where they go back, a time that exists twice is the later one. That is what PostgreSQL does
 * (DetermineTimeZoneOffset). Looks into files when it is loaded, else pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_LOCAL_ZONE_H
#define MQTT2PG_MAP_LOCAL_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"

struct local_zone;

/* "Europe/Berlin", in `arena`. NULL when the system does not have it (package tzdata, $TZDIR). */
const struct local_zone *local_zone_load(struct slice name, struct arena *arena);

/* Names of zones, for suggestions. */
struct zone_names {
    const char **list;
    size_t count;
};

/* The zones of the world's countries (zone.tab of tzdata), in `arena`; none when there is no such
 * file. */
void local_zone_names(struct arena *arena, struct zone_names *names);

/* The offset of a local time, in seconds east of Greenwich; `local` counts seconds since 1970 as if
 * the clock showed UTC. */
int32_t local_zone_offset(const struct local_zone *zone, int64_t local);

/* The offset of the zone's daylight saving (or standard) time at that local time: of the change
 * nearest to it. For texts that say which of both they are. */
int32_t local_zone_offset_of(const struct local_zone *zone, int64_t local, bool daylight);

#endif
