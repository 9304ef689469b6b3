/*
 * ahead: builds the next batch while the server works on this one.
 *
 * In the loader's own thread, a little at a time, whenever that would wait for the server
 * (pg_meanwhile()). It pays with a backlog alone; else the next batch should wait for what arrives
 * meanwhile. Between ahead_begin() and ahead_take() all that the builder borrows may be read, not
 * changed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_AHEAD_H
#define MQTT2PG_LOAD_AHEAD_H

#include "load/batch.h"

struct ahead;

struct ahead *ahead_new(size_t rule_count);
void ahead_free(struct ahead *ahead);

/* Begins a batch where the builder's reader stands; what was begun before is forgotten. `builder`
 * is copied. */
void ahead_begin(struct ahead *ahead, const struct batch_builder *builder);

/* Builds on, for a moment; `ahead` is a struct ahead. False when nothing is left to do. */
bool ahead_step(void *ahead);

/* Builds the rest, and changes *batch for the one that was begun. False when the journal could not
 * be read: the reader stands anywhere then. */
bool ahead_take(struct ahead *ahead, struct batch **batch);

#endif
