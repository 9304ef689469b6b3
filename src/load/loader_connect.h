/*
 * loader_connect: from a TCP connection to the first batch: the bridge's own tables, the identity,
 * the position, the catalog, the memory of formats.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LOADER_CONNECT_H
#define MQTT2PG_LOAD_LOADER_CONNECT_H

#include "load/loader_state.h"

/* Connects, becomes the only process of this client, reads the position and the catalog. False,
 * with the reason in the log: the caller tries again later. The loader's thread. */
bool loader_connect(struct loader *loader);

/* Parked letters of former rules go to those in use (load/inheritance). OUTCOME_RETRY: the
 * connection is lost. */
enum outcome loader_inherit(struct loader *loader, struct pg_failure *failure) MUST_CHECK;

/* Tells the outbox whether rules want acknowledgments. Does nothing before this process has been
 * the only one of its client. */
void loader_expect_acks(struct loader *loader);

#endif
