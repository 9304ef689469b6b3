/*
 * plan_keeper: makes the plan of subscriptions for a configuration from the plans before it, and
 * writes it to the file of plans before the bridge subscribes, so that the next process finds it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BRIDGE_PLAN_KEEPER_H
#define MQTT2PG_BRIDGE_PLAN_KEEPER_H

#include "bridge/generation.h"
#include "journal/journal.h"

/* Makes the first generation's plan, after those that an earlier process wrote to the file. */
void plan_keeper_begin(struct generation *first, struct journal *journal);

/* The same for commands that only read the journal: nothing is written. `settings` are those of the
 * journal's bridge. */
void plan_keeper_look(struct generation *generation, const struct config *settings,
                      struct journal *journal);

/* Makes a later generation's plan, after the one in use. `first`: for its settings. */
void plan_keeper_continue(struct generation *next, const struct generation *in_use,
                          const struct generation *first, struct journal *journal);

/* Is the generation's plan in the file? If not (a full disk), tries again: the next process could
 * not recognize copies that came through a subscription it does not know. */
bool plan_keeper_is_written(struct generation *generation, const struct generation *first);

#endif
