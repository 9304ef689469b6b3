/*
 * loader_heal: stores what a parked rule put aside, portion by portion, between batches.
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
