/* SPDX-License-Identifier: MIT */
#include "route/copy_tracks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { CAPACITY_FIRST = 64, NEAR_MESSAGES = 64, NEAR_US = 1000000, NEAR_EQUAL_US = 10000 };

void tracks_fini(struct tracks *tracks)
{
    free(tracks->table);
    *tracks = (struct tracks){0};
}

static struct track *place_of(const struct tracks *tracks, uint64_t key)
{
    size_t at = (size_t) key & (tracks->capacity - 1);

    assert(key != 0 && tracks->count < tracks->capacity); /* the search ends at a free place */
    while (tracks->table[at].key != 0 && tracks->table[at].key != key) {
        at = (at + 1) & (tracks->capacity - 1);
    }
    return &tracks->table[at];
}

/* Moves the tracks whose last message is not older than `oldest` into a table of this capacity. */
static void rebuild(struct tracks *tracks, size_t capacity, uint64_t oldest)
{
    struct tracks next = {.table = memory_alloc(capacity * sizeof(struct track)),
                          .capacity = capacity};

    assert((capacity & (capacity - 1)) == 0);
    for (size_t i = 0; i < tracks->capacity; i++) {
        const struct track *track = &tracks->table[i];

        if (track->key != 0 && track->sequence >= oldest) {
            *place_of(&next, track->key) = *track;
            next.count++;
        }
    }
    assert(next.count <= tracks->count);
    free(tracks->table);
    *tracks = next;
}

static int sequence_compare(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

static void forget_oldest(struct tracks *tracks)
{
    uint64_t *sequences = memory_alloc(tracks->count * sizeof(*sequences));
    size_t count = 0;

    for (size_t i = 0; i < tracks->capacity; i++) {
        if (tracks->table[i].key != 0) {
            sequences[count++] = tracks->table[i].sequence;
        }
    }
    assert(count == tracks->count);
    qsort(sequences, count, sizeof(*sequences), sequence_compare);
    uint64_t oldest = sequences[count - TRACKS_KEPT];
    rebuild(tracks, tracks->capacity, oldest > 0 ? oldest : 1);
    free(sequences);
    assert(tracks->count < TRACKS_MAX);
}

/* Removes the last copies: they are in the order of their numbers. */
static void track_rewind(struct track *track, uint64_t first)
{
    assert(track->sequence < first);
    while (track->brought_count > 0 &&
           track->sequence + track->later[track->brought_count - 1] >= first) {
        track->brought_count--;
    }
    assert(track->brought_count > 0); /* the first copy came with `sequence` itself */
}

void tracks_rewind(struct tracks *tracks, uint64_t first)
{
    struct tracks kept = {.capacity = tracks->capacity};

    if (tracks->capacity == 0) {
        return;
    }
    kept.table = memory_alloc(kept.capacity * sizeof(struct track));
    for (size_t i = 0; i < tracks->capacity; i++) {
        const struct track *track = &tracks->table[i];

        if (track->key != 0 && track->sequence < first) {
            struct track *place = place_of(&kept, track->key);

            *place = *track;
            track_rewind(place, first);
            kept.count++;
        }
    }
    assert(kept.count <= tracks->count);
    free(tracks->table);
    *tracks = kept;
    tracks_check(tracks);
}

void tracks_check(const struct tracks *tracks)
{
    size_t count = 0;

    assert((tracks->capacity & (tracks->capacity - 1)) == 0);
    assert(tracks->count <= TRACKS_MAX);
    for (size_t i = 0; i < tracks->capacity; i++) {
        const struct track *track = &tracks->table[i];

        count += track->key != 0;
        assert(track->brought_count <= BROUGHT_MAX);
        assert(track->brought_count == 0 || track->later[0] == 0);
    }
    assert(count == tracks->count);
}

struct track *tracks_get(struct tracks *tracks, uint64_t key)
{
    struct track *track;

    assert(key != 0);
    if (tracks->count >= TRACKS_MAX) {
        forget_oldest(tracks);
    }
    if (tracks->capacity == 0 || tracks->count * 4 >= tracks->capacity * 3) {
        rebuild(tracks, tracks->capacity == 0 ? CAPACITY_FIRST : tracks->capacity * 2, 0);
    }
    track = place_of(tracks, key);
    if (track->key == 0) {
        *track = (struct track){.key = key, .interval_us = INT64_MAX};
        tracks->count++;
    }
    assert(tracks->count <= TRACKS_MAX && tracks->count < tracks->capacity);
    return track;
}

bool track_has(const struct track *track, uint32_t subscription)
{
    for (unsigned i = 0; i < track->brought_count; i++) {
        if (track->brought[i] == subscription) {
            return true;
        }
    }
    return false;
}

void track_add(struct track *track, uint32_t subscription, uint64_t sequence)
{
    uint64_t later = sequence - track->sequence;

    assert(track->sequence != 0 && track->sequence <= sequence);
    if (!track_has(track, subscription) && track->brought_count < BROUGHT_MAX) {
        track->later[track->brought_count] = later < UINT32_MAX ? (uint32_t) later : UINT32_MAX;
        track->brought[track->brought_count++] = subscription;
    }
}

bool track_repeats(const struct track *track)
{
    return track->interval_us != INT64_MAX;
}

/* When equal messages came before, the next one may come in place of a copy, and only the pause
 * before it distinguishes the two. When the message waited in the broker while no process ran, the
 * interval is longer than usual and the pause shorter. For other content there is no such doubt: a
 * copy with DUP was sent before, on an earlier connection, and the pause until this delivery does
 * not count. */
bool track_is_near(const struct track *track, const struct message *message)
{
    int64_t pause_us = message->received_at_us - track->received_us;
    bool soon = track_repeats(track)
                    ? pause_us <= NEAR_EQUAL_US && pause_us <= track->interval_us / 2
                    : pause_us <= NEAR_US || message->duplicate;

    assert(track->sequence != 0 && message->sequence >= track->sequence);
    return soon && message->sequence - track->sequence <= NEAR_MESSAGES;
}

void track_begin(struct track *track, uint64_t sequence, int64_t received_us)
{
    assert(sequence > 0 && track->sequence < sequence);
    track->interval_us = track->sequence > 0 ? received_us - track->received_us : INT64_MAX;
    track->sequence = sequence;
    track->received_us = received_us;
    track->brought_count = 0;
}
