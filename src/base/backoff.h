/*
 * backoff: how long to wait before the next attempt.
 *
 * Exponential between `first_ms` and `max_ms`, with the upper half of each wait left to chance, so
 * that a fleet of bridges does not come back in step.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_BACKOFF_H
#define MQTT2PG_BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
    int64_t first_ms;
    int64_t max_ms;
    int64_t current_ms; /* upper bound of the next wait; 0 at the start */
    uint64_t random;    /* state of the generator; 0 is seeded at first use */
};

void backoff_init(struct backoff *backoff, int64_t first_ms, int64_t max_ms);

/* Milliseconds to wait now; between half of and the whole bound, which doubles. */
int64_t backoff_next(struct backoff *backoff);

/* After a success. */
void backoff_reset(struct backoff *backoff);

#endif
