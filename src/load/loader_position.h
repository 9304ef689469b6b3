/*
 * loader_position: where the journal is read on, as the row of `progress` says; the outbox learns
 * which acknowledgments may go out.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LOADER_POSITION_H
#define MQTT2PG_LOAD_LOADER_POSITION_H

#include "load/loader_state.h"

/* Between the identity and the first batch: takes the journal's position from `progress`, lets the
 * outbox settle its acknowledgments, and puts the reader there. False with the reason; at the start
 * of the process a position that nobody knows ends it with exit code 4. */
bool loader_take_position(struct loader *loader, struct error *error);

#endif
