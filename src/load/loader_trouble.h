/*
 * loader_trouble: acts on what load/trouble decides about a batch that could not be stored.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LOADER_TROUBLE_H
#define MQTT2PG_LOAD_LOADER_TROUBLE_H

#include "load/loader_state.h"

/* After anything but STORE_DONE: waits, disconnects or stops as it must be, and puts the reader
 * back. */
void loader_trouble(struct loader *loader, enum store_result result,
                    const struct pg_failure *failure);

#endif
