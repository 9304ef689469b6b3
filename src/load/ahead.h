/*
 * ahead: builds the next batch while this one is stored.
 *
 * Only a thread of its own makes use of the time that the server needs: libpq returns from sending
 * a COPY when all but the last buffer of it has been worked through. It pays with a backlog alone;
 * else the next batch should wait for what arrives meanwhile. Between ahead_begin() and ahead_end()
 * all that the builder borrows belongs to that thread: reader, mapper, targets and verdicts may be
 * read, not changed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_AHEAD_H
#define MQTT2PG_LOAD_AHEAD_H

#include "load/batch.h"

struct ahead;

/* Starts its thread, which waits. */
struct ahead *ahead_new(size_t rule_count);
void ahead_free(struct ahead *ahead); /* not between begin and end; NULL is legal */

/* Begins to build a batch from where the builder's reader stands. `builder` is copied. */
void ahead_begin(struct ahead *ahead, const struct batch_builder *builder);

/* Waits until it is built. False when the journal could not be read. */
bool ahead_end(struct ahead *ahead);

/* Changes *batch for the one that ahead_end() said is built. */
void ahead_swap(struct ahead *ahead, struct batch **batch);

#endif
