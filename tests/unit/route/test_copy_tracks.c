/* What is remembered of the last messages, and how much memory that takes. SPDX-License-Identifier: MIT */
#include "route/copy_tracks.h"
#include "unit.h"

/* Keys as they come: hashes, not in order. */
static uint64_t key_of(uint64_t number)
{
    return (number + 1) * UINT64_C(0x9E3779B97F4A7C15);
}

static void take(struct tracks *tracks, uint64_t number)
{
    struct track *track = tracks_get(tracks, key_of(number));

    track_begin(track, number + 1, (int64_t) number);
    track_add(track, 7, number + 1);
}

/* At any time the newest TRACKS_KEPT messages are known, and the table stays below 6 MB. */
static void test_bound(void)
{
    const uint64_t counts[] = {TRACKS_KEPT, TRACKS_MAX, TRACKS_MAX + 1, 3 * TRACKS_MAX + 17};
    struct tracks tracks = {0};
    uint64_t next = 0;

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        uint64_t count = counts[i];
        unsigned known = 0;

        UNIT_CASE("%llu messages", (unsigned long long) count);
        while (next < count) {
            take(&tracks, next++);
        }
        tracks_check(&tracks);
        CHECK(tracks.count >= TRACKS_KEPT);
        CHECK(tracks.capacity * sizeof(struct track) < 6000000);
        for (uint64_t number = count - TRACKS_KEPT; number < count; number++) {
            known += track_has(tracks_get(&tracks, key_of(number)), 7);
        }
        CHECK_INT_EQ(known, TRACKS_KEPT);
    }
    tracks_fini(&tracks);
}

/* What came with a message that comes again is forgotten. */
static void test_rewind(void)
{
    struct tracks tracks = {0};
    struct track *track;

    take(&tracks, 0);
    take(&tracks, 1);
    track_add(tracks_get(&tracks, key_of(0)), 8, 3);
    tracks_rewind(&tracks, 2);
    CHECK_INT_EQ(tracks.count, 1);
    track = tracks_get(&tracks, key_of(0));
    CHECK(track_has(track, 7) && !track_has(track, 8));
    tracks_fini(&tracks);
}

UNIT_MAIN("copy_tracks", {"bound", test_bound}, {"rewind", test_rewind})
