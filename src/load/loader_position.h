/*
 * loader_position: takes the position from the row of `progress`. The reader continues there, and
 * the outbox learns which acknowledgments may go out.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LOADER_POSITION_H
#define MQTT2PG_LOAD_LOADER_POSITION_H

#include "load/loader_state.h"

/* Called with the identity, before the first batch: reads the journal's position from `progress`,
 * calls outbox_settle(), and moves the reader to the position. False with the reason. When the
 * position can't be determined at the start of the process, the process ends with exit code 4. */
bool loader_take_position(struct loader *loader, struct error *error);

#endif
