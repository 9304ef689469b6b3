/*
 * loader_watch: reads for the status page what waits for a person in the database: dead letters,
 * and gaps that nobody has acknowledged. Every few seconds, on the loader's own connection, between
 * batches.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LOADER_WATCH_H
#define MQTT2PG_LOAD_LOADER_WATCH_H

#include "load/loader_state.h"

/* Asks when it is time. A role without these privileges costs figures for people, and nothing
 * else. */
void loader_watch(struct loader *loader);

#endif
