/*
 * copy_tracks: what route/copies remembers of each topic whose subscriptions have changed: which plan
 * it follows since which message, and the last message that was taken. Bounded: when there are
 * TRACKS_MAX of them, the half that was quiet for longest is forgotten.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROUTE_COPY_TRACKS_H
#define MQTT2PG_ROUTE_COPY_TRACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRACKS_MAX = 131072 };

struct turn {
    uint64_t sequence; /* of the first message under this plan */
    uint32_t plan;     /* its number */
    bool twin;         /* this message was the other copy of the one before */
};

struct track {
    uint64_t key; /* 0: the place is free */
    uint64_t last_sequence;
    uint64_t last_hash;   /* content of the message that was taken last; 0 sequence: none */
    uint32_t last_filter; /* of the subscription that brought it, as a hash */
    uint32_t first_plan;  /* before its first turn */
    unsigned turn_count;
    struct turn *turns; /* owned; ascending by sequence and plan */
};

struct tracks {
    struct track *table; /* owned; open addressing */
    size_t capacity;     /* a power of two, or 0 */
    size_t count;
};

void tracks_fini(struct tracks *tracks);

/* The track with this key, made when it is missing, beginning with `plan`. Valid until the next
 * call. `key` is not 0. */
struct track *tracks_get(struct tracks *tracks, uint64_t key, uint32_t plan);

/* The plan that holds for a message, and whether the message turned the track as a twin. */
uint32_t track_plan(const struct track *track, uint64_t sequence, bool *twin);

/* From this message on the track follows a later plan. */
void track_turn(struct track *track, const struct turn *turn);

#endif
