/*
 * plan_keeper: the plan of subscriptions for a configuration: made from the plans before it,
 * written down before the broker is asked for it, found again by the next process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BRIDGE_PLAN_KEEPER_H
#define MQTT2PG_BRIDGE_PLAN_KEEPER_H

#include "bridge/generation.h"
#include "journal/journal.h"

/* Makes the first generation's plan, behind those that an earlier process wrote down. */
void plan_keeper_begin(struct generation *first, struct journal *journal);

/* The same for commands that only read the journal: nothing is written. `settings` are those of the
 * journal's bridge. */
void plan_keeper_look(struct generation *generation, const struct config *settings,
                      struct journal *journal);

/* Makes a later generation's plan, after the one in use. `first`: for its settings. */
void plan_keeper_continue(struct generation *next, const struct generation *in_use,
                          const struct generation *first, struct journal *journal);

/* Is the generation's plan written down? Tries again when it was not (a full disk), because the
 * next process can't tell copies apart that came through a subscription it does not know. */
bool plan_keeper_is_written(struct generation *generation, const struct generation *first);

#endif
