/*
 * loader_bridge: writes the state of this bridge into a row of the table `bridge`, every few
 * seconds, between batches. Behind a pooler that row is also the bridge's identity.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LOADER_BRIDGE_H
#define MQTT2PG_LOAD_LOADER_BRIDGE_H

#include "load/loader_state.h"

/* Behind a pooler: makes this process the only one of its client, by a lease in the row of the
 * table `bridge`. *ours: false when another process holds the lease. */
enum outcome loader_take_lease(struct loader *loader, bool *ours,
                               struct pg_failure *failure) MUST_CHECK;

/* After connecting: the row is written with the next loader_report(). Compares the clocks, as
 * loader_report() does with each row: a difference goes to log and health. */
void loader_report_start(struct loader *loader);

/* Writes the row when it is due. Storing goes on after a failure, with one exception: behind a
 * pooler, when another process has taken the identity, the connection is closed. */
void loader_report(struct loader *loader);

#endif
