/*
 * recall: keeps a mapper's memory (core/memory) in step with the table mqtt2pg.memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_RECALL_H
#define MQTT2PG_LOAD_RECALL_H

#include "load/mapper.h"
#include "pg/pg_connection.h"

/* After connecting and for new rules: fills the memory from the table. `position`: messages up to
 * it will not be mapped again, except dead letters; 0: any message may be. Does nothing when no
 * rule has a format with state. */
enum outcome recall(struct mapper *mapper, struct pg_connection *connection, uint64_t position,
                    struct pg_failure *failure) MUST_CHECK;

/* Messages up to `position` are stored. */
void recall_advance(struct mapper *mapper, uint64_t position);

/* After a batch that has learned something is stored: deletes from memory and table the entries
 * that no message and no dead letter can need any more. When that makes room for entries that were
 * left out, reads the table again, unless an entry behind `position` was left out: the table does
 * not have it yet, so a later call reads it. A failure to prune costs only room and is not
 * reported. */
void recall_prune(struct mapper *mapper, struct pg_connection *connection, const char *journal,
                  uint64_t position);

#endif
