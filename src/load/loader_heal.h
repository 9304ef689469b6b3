/*
 * loader_heal: stores the parked letters of a rule, portion by portion, between batches.
 *
 * Letters are stored in the order of their ids, the order in which their messages came; those of
 * rules that write to one table together. While some are left, new messages of these rules become
 * parked letters too, so that none of them overtakes an older one. Each turn stores more letters
 * than the last batch added, so healing comes to an end under live traffic, too.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LOADER_HEAL_H
#define MQTT2PG_LOAD_LOADER_HEAL_H

#include "load/loader_state.h"

/* Letters of a portion, which is in memory at once and one transaction. */
#define HEAL_LETTERS_MAX 500

/* Some portions of this parked rule's letters, if its table works again. */
void loader_heal(struct loader *loader, unsigned rule);

#endif
