/*
 * ack_publish: hands acknowledgments to the publisher, some at a time, and counts what the broker
 * has confirmed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ACK_ACK_PUBLISH_H
#define MQTT2PG_ACK_ACK_PUBLISH_H

#include "ack/ack_batch.h"
#include "mqtt/publisher.h"

/*
 * Publishes the next acknowledgments of `acks`, at most `count_max`, and waits until the broker has
 * confirmed them. Then takes them off the front of `acks` and sets *count to their number (0 at the
 * end). OUTCOME_RETRY: takes nothing off, *count is 0, and all of them must be published again. An
 * acknowledgment that can never be published is logged and skipped. Counts RULE_METRIC_ACKS_STORED
 * and _REJECTED.
 */
enum outcome ack_publish(struct publisher *publisher, uint32_t count_max, struct slice *acks,
                         uint32_t *count, struct error *error) MUST_CHECK;

#endif
