/*
 * copy_bringers: which subscriptions of the plans have brought messages, for route/copies. The
 * broker may refuse a subscription that a plan wants.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROUTE_COPY_BRINGERS_H
#define MQTT2PG_ROUTE_COPY_BRINGERS_H

#include "route/plan.h"

/* A subscription with the first and the last message that it has brought; 0: none yet. */
struct bringer {
    uint32_t identifier;
    uint64_t first, last;
};

struct bringers {
    struct bringer *list; /* owned; of plans->list, in its order */
    size_t count;
};

void bringers_fini(struct bringers *bringers);

/* Switches to the subscriptions of `plans`. A subscription that was there before keeps its
 * messages. */
void bringers_use(struct bringers *bringers, const struct plans *plans);

/* Forgets messages numbered `first` and higher. */
void bringers_rewind(struct bringers *bringers, uint64_t first);

/* The subscription plans->list[at] has brought message `sequence`. */
void bringers_note(struct bringers *bringers, size_t at, uint64_t sequence);

/* Has the subscription plans->list[at] brought a message not long before this one? */
bool bringers_bring(const struct bringers *bringers, size_t at, uint64_t sequence);

#endif
