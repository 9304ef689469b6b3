/*
 * ack_batch: the acknowledgments of one batch as bytes, in memory and in an outbox file alike.
 *
 *   0   1   flags: 1 = stored, 2 = retain
 *   1   1   qos
 *   2   2   length of the rule's name            integers little-endian
 *   4   2   length of the topic
 *   6   2   length of the correlation data
 *   8   4   length of the payload
 *   12  …   rule, topic, correlation data, payload
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ACK_ACK_BATCH_H
#define MQTT2PG_ACK_ACK_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

struct ack {
    struct slice rule; /* name, for the metrics */
    bool stored;
    uint8_t qos;
    bool retain;
    struct slice topic;
    struct slice payload;
    struct slice correlation_data;
};

/* Zero-initialized memory is an empty batch. */
struct ack_batch {
    struct buf bytes;
    uint32_t count;
};

/* Copies everything. Rule, topic and correlation data have at most 65,535 bytes. */
void ack_batch_append(struct ack_batch *batch, const struct ack *ack);
void ack_batch_reset(struct ack_batch *batch);
void ack_batch_fini(struct ack_batch *batch);

/* Takes the next acknowledgment off the front of `bytes`; the acknowledgment borrows the bytes.
 * False at the end or when the bytes make no sense. */
bool ack_batch_next(struct slice *bytes, struct ack *ack);

#endif
