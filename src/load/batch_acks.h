/*
 * batch_acks: the acknowledgments of a batch.
 *
 * They are made with the rows, from the message. Only @rows is not known then: it counts the rows
 * that PostgreSQL has stored. Such an acknowledgment is noted in batch->later, and gets its number
 * when the rows are sent and counted:
 *
 *   batch_ack_stored() ─▶ batch_count_stored() ─▶ batch_fill_acks() ─▶ outbox ─▶ COMMIT
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_BATCH_ACKS_H
#define MQTT2PG_LOAD_BATCH_ACKS_H

#include "load/batch.h"

/* Append the acknowledgment that the rule publishes for this message, if it wants one. Of a message
 * that is stored the rows are in the batch already, by batch_add_rows(). */
void batch_ack_refused(struct batch *batch, struct mapper *mapper, const struct mapped *mapped,
                       const struct refused *refused);
void batch_ack_stored(struct batch *batch, struct mapper *mapper, const struct mapped *mapped,
                      const struct rule_target *target);

/* All rows are counted: gives acknowledgments with @rows their number. */
void batch_fill_acks(struct batch *batch, const struct ruleset *ruleset);

#endif
