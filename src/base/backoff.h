/*
 * backoff: how long to wait before the next attempt.
 *
 * The bound of a wait doubles from `first_ms` to `max_ms`. Each wait is random between half of its
 * bound and the bound, so that a fleet of bridges does not reconnect in step.
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

/* Milliseconds to wait now. Doubles the bound of the next wait. */
int64_t backoff_next(struct backoff *backoff);

/* After a success: the next bound is `first_ms` again. */
void backoff_reset(struct backoff *backoff);

#endif
