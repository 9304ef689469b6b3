/*
 * loader_watch: what waits for a person in the database, for the status page: gaps that nobody has
 * acknowledged, dead letters. Asked every few seconds on the loader's own connection, between
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
