/*
 * copy_tracks: the memory of route/copies: for each of the last messages that several subscriptions
 * bring, the subscriptions whose copies have come. Bounded: when there are TRACKS_MAX messages, all
 * but the newest TRACKS_KEPT are forgotten.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROUTE_COPY_TRACKS_H
#define MQTT2PG_ROUTE_COPY_TRACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/message.h"

/* Limits on remembered messages and on the subscriptions of each. TRACKS_MAX is three quarters of a
 * power of two: more would double the table's 6 MB. */
enum { TRACKS_MAX = 49152, TRACKS_KEPT = 36864, BROUGHT_MAX = 6 };

struct track {
    uint64_t key;                  /* of topic, content and broker; 0: the place is free */
    uint64_t sequence;             /* of the first copy; 0: none yet */
    int64_t received_us;           /* of the first copy, wall clock */
    int64_t interval_us;           /* since the equal message before came; INT64_MAX: none known */
    uint32_t brought[BROUGHT_MAX]; /* keys of the subscriptions that have brought it */
    /* how long after `sequence`, in messages; UINT32_MAX: so long or longer */
    uint32_t later[BROUGHT_MAX];
    unsigned brought_count;
};

struct tracks {
    struct track *table; /* owned; open addressing */
    size_t capacity;     /* a power of two, or 0 */
    size_t count;
};

void tracks_fini(struct tracks *tracks);

/* Asserts the invariants of all tracks. */
void tracks_check(const struct tracks *tracks);

/* The track with this key; a missing one is added. Valid until the next call. `key` must not be
 * 0. */
struct track *tracks_get(struct tracks *tracks, uint64_t key);

/* Forgets messages numbered `first` and higher. */
void tracks_rewind(struct tracks *tracks, uint64_t first);

/* Has this subscription brought a copy of the message? */
bool track_has(const struct track *track, uint32_t subscription);
/* Notes that this subscription has brought a copy, with message `sequence`. */
void track_add(struct track *track, uint32_t subscription, uint64_t sequence);

/* Did an equal message come before this one? */
bool track_repeats(const struct track *track);

/* May `message` be a copy that the broker has queued next to the first one? */
bool track_is_near(const struct track *track, const struct message *message);

/* Begins again for a new message with the same key: no subscription has brought it yet. */
void track_begin(struct track *track, uint64_t sequence, int64_t received_us);

#endif
