/*
 * batch_acks: the acknowledgments of a batch.
 *
 * An acknowledgment is made from its message, together with the rows. Only the value of @rows is
 * not known at that time: @rows is the number of rows that PostgreSQL has stored. An acknowledgment
 * with @rows is noted in batch->later and gets the number when the rows are sent and counted:
 *
 *   batch_ack_stored() ─▶ batch_count_stored() ─▶ batch_fill_acks() ─▶ outbox ─▶ COMMIT
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_BATCH_ACKS_H
#define MQTT2PG_LOAD_BATCH_ACKS_H

#include "load/batch.h"

/* Append the acknowledgment that the rule publishes for this message, if it wants one. The rows of
 * a stored message are in the batch already, by batch_add_rows(). */
void batch_ack_refused(struct batch *batch, struct mapper *mapper, const struct mapped *mapped,
                       const struct refused *refused);
void batch_ack_stored(struct batch *batch, struct mapper *mapper, const struct mapped *mapped,
                      const struct rule_target *target);

/* All rows are counted: gives acknowledgments with @rows their number. */
void batch_fill_acks(struct batch *batch, const struct ruleset *ruleset);

#endif
