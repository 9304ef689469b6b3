/*
 * loader_watch: reads for the status page how many dead letters wait for a person, and the gaps
 * that nobody has acknowledged. Every few seconds, on the loader's own connection, between batches.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LOADER_WATCH_H
#define MQTT2PG_LOAD_LOADER_WATCH_H

#include "load/loader_state.h"

/* Reads when it is due. When the role lacks these privileges, the status page lacks these figures;
 * storing goes on. */
void loader_watch(struct loader *loader);

#endif
