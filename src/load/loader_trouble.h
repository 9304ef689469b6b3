/*
 * loader_trouble: acts on what load/trouble decides about a batch that could not be stored.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LOADER_TROUBLE_H
#define MQTT2PG_LOAD_LOADER_TROUBLE_H

#include "load/loader_state.h"

/* Carries out the remedy: pauses, disconnects or stops the process. Afterwards the reader stands
 * at the first message that is not stored, or the connection is closed. `result` is not
 * STORE_DONE. */
void loader_trouble(struct loader *loader, enum store_result result,
                    const struct pg_failure *failure);

#endif
