/*
 * ack_publish: gives acknowledgments to the publisher, some at a time, and counts those that the
 * broker has confirmed.
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
 * end). Counts RULE_METRIC_ACKS_STORED and _REJECTED.
 *
 * OUTCOME_RETRY: takes nothing off, *count is 0, and all of them must be published again.
 * OUTCOME_REJECT: the first one can never be published (its topic, its size). It is logged and
 * taken off, and *count is 1; the broker has seen nothing of it. The acknowledgments before such a
 * one are published by a call of their own.
 */
enum outcome ack_publish(struct publisher *publisher, uint32_t count_max, struct slice *acks,
                         uint32_t *count, struct error *error) MUST_CHECK;

#endif
