/*
 * recall: a mapper's memory and the table memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_RECALL_H
#define MQTT2PG_LOAD_RECALL_H

#include "load/mapper.h"
#include "pg/pg_connection.h"

/* After connecting and for new rules: the memory becomes what the table holds. Messages up to
 * `position` will not be mapped, but for dead letters; 0: they may be. Does nothing when no rule
 * has a format with state. */
enum outcome recall(struct mapper *mapper, struct pg_connection *connection, uint64_t position,
                    struct pg_failure *failure) MUST_CHECK;

/* Messages up to `position` are stored. */
void recall_advance(struct mapper *mapper, uint64_t position);

/* After a batch that has learned something is stored: what nothing can want any more goes from
 * both. Where that makes room for entries that were left out, the table is read again, unless one
 * was left out behind `position`: the table does not have it yet, a later call reads it. A failure
 * to prune costs room only, and nobody is told. */
void recall_prune(struct mapper *mapper, struct pg_connection *connection, const char *journal,
                  uint64_t position);

#endif
