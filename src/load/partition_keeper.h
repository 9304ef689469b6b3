/*
 * partition_keeper: keeps the partitions of rules with the group `partition`: makes those of the
 * coming time, and drops those that are wholly older than `keep`.
 *
 *   rows ──▶ t ─┬─▶ t_p20261129, t_p20261130, …   made ahead of time
 *               └─▶ t_default                     rows for whose time there is no partition
 *                        │ every few seconds: has it rows from now - keep to the last partition?
 *                        └──▶ a partition of their time is made, and they move into it
 *
 * So a row is always stored at once, whatever its time is, whichever client writes it, and however
 * long no bridge ran. The design has these bounds:
 *
 *   - Rows that are older than `keep`, far in the future, or without a time stay in t_default.
 *     The bridge never deletes rows: rows go only with a partition that is dropped.
 *   - Only partitions that a bridge has made are dropped, and their bounds are read under the lock.
 *     The earlier of the server's clock and ours counts, so a clock that is ahead drops nothing. On
 *     one machine both are the same clock: when there was no partition of the present time, because
 *     the clock has jumped or the bridge was away, drops wait for an hour.
 *   - A refusal by PostgreSQL is reported and does not stop work on other partitions. When the late
 *     rows of a span take longer to move than a transaction may last, the span is halved.
 *   - Every change is one short transaction on the loader's connection, between batches, with a
 *     lock that is waited for 0.2 s at most; one turn ends after PARTITION_TURN_MS, and the rest
 *     is done in a later turn.
 * - Partitions are not kept when the role does not own the table, when the table is partitioned in
 *     another way, or when triggers or foreign keys would notice that rows move. The log says so
 *     once, `status` always. Storing goes on.
 *
 * The loader's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_PARTITION_KEEPER_H
#define MQTT2PG_LOAD_PARTITION_KEEPER_H

#include "load/rule_targets.h"
#include "load/ruleset.h"
#include "pg/pg_connection.h"

enum { PARTITION_TURN_MS = 2000 };

struct partition_keeper;

/* Borrows the ruleset. */
struct partition_keeper *partition_keeper_new(const struct ruleset *ruleset);
void partition_keeper_free(struct partition_keeper *keeper);

/* Makes, fills and drops the partitions that are due. *made: how many partitions were made.
 * OUTCOME_RETRY: the connection is lost. */
enum outcome partition_keeper_run(struct partition_keeper *keeper,
                                  const struct rule_targets *targets,
                                  struct pg_connection *connection, size_t *made,
                                  struct pg_failure *failure) MUST_CHECK;

#endif
