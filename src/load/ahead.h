/*
 * ahead: builds the next batch while the server works on this one.
 *
 * Building runs in the loader's own thread, in small steps, while the connection waits for the
 * server (pg_meanwhile()):
 *
 *   server   │ stores batch 1      │ stores batch 2      │
 *   loader   │ builds batch 2      │ builds batch 3      │
 *
 * This is worth it only with a backlog. Without one, the next batch would be closed early and
 * small; it is better to wait for the messages that arrive meanwhile. Between ahead_begin() and
 * ahead_take(), nothing that the builder borrows may be changed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_AHEAD_H
#define MQTT2PG_LOAD_AHEAD_H

#include "load/batch.h"

struct ahead;

struct ahead *ahead_new(size_t rule_count);
void ahead_free(struct ahead *ahead);

/* Begins a batch where the builder's reader stands, and forgets a batch that was begun before.
 * Copies `builder`. */
void ahead_begin(struct ahead *ahead, const struct batch_builder *builder);

/* Continues to build for a moment; `ahead` is a struct ahead. False when nothing is left to do. */
bool ahead_step(void *ahead);

/* Builds the rest and exchanges *batch for the batch that was begun. False when the journal could
 * not be read: then the reader's place is undefined. */
bool ahead_take(struct ahead *ahead, struct batch **batch);

#endif
