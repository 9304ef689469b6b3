/*
 * loader_bridge: the loader writes how this bridge is into the database, every few seconds and
 * between batches; behind a pooler that row is also the bridge's identity.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LOADER_BRIDGE_H
#define MQTT2PG_LOAD_LOADER_BRIDGE_H

#include "load/loader_state.h"

/* Behind a pooler: becomes the only process of this client by its row in the table bridge. */
enum outcome loader_take_lease(struct loader *loader, bool *ours,
                               struct pg_failure *failure) MUST_CHECK;

/* After connecting: the row is written with the next loader_report(). Compares the clocks, as
 * loader_report() does with each row: a difference goes to log and health. */
void loader_report_start(struct loader *loader);

/* Writes the row when it is time. A failure is no reason to stop storing, except that behind a
 * pooler another process has taken the identity: then the connection is closed. */
void loader_report(struct loader *loader);

#endif
