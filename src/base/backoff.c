/* SPDX-License-Identifier: MIT */
#include "base/backoff.h"

#include <assert.h>
#include <unistd.h>

#include "base/clock.h"

void backoff_init(struct backoff *backoff, int64_t first_ms, int64_t max_ms)
{
    assert(first_ms >= 0 && max_ms >= 0);
    *backoff =
        (struct backoff){.first_ms = first_ms, .max_ms = max_ms < first_ms ? first_ms : max_ms};
}

/* splitmix64 (Steele, Lea, Flood 2014): good enough to keep machines out of
 * step, and free of the locks and the shared state of random(3). */
static uint64_t random_next(uint64_t *state)
{
    if (*state == 0) {
        *state = (uint64_t) clock_wall_us() ^ (uint64_t) clock_monotonic_us() << 20 ^
                 (uint64_t) getpid() << 44;
    }
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = *state;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

int64_t backoff_next(struct backoff *backoff)
{
    int64_t bound_ms = backoff->current_ms > 0 ? backoff->current_ms : backoff->first_ms;
    backoff->current_ms = bound_ms > backoff->max_ms / 2 ? backoff->max_ms : bound_ms * 2;

    int64_t half_ms = bound_ms / 2;
    assert(half_ms >= 0 && half_ms <= bound_ms);
    uint64_t choices = (uint64_t) (bound_ms - half_ms) + 1;
    return half_ms + (int64_t) (random_next(&backoff->random) % choices);
}

void backoff_reset(struct backoff *backoff)
{
    backoff->current_ms = 0;
}
