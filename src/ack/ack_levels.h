/*
 * ack_levels: learns how many levels of a topic the broker takes.
 *
 * Whoever sends a request chooses the topic of its answer. Mosquitto ends the connection of a
 * client that publishes to a topic of more than 200 levels, and no broker says beforehand how many
 * levels it takes. When an acknowledgment has ended a connection, its topic and all topics with as
 * many levels or more are suspects. A suspect is published alone, so that all others can still be
 * published many at a time. Once a suspect has been given up, topics with as many levels or more
 * are given up at their first loss. When the broker confirms a suspect, no topic is a suspect any
 * more until one with more levels than the confirmed one ends a connection.
 *
 * Pure. The outbox's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ACK_ACK_LEVELS_H
#define MQTT2PG_ACK_ACK_LEVELS_H

#include <stdbool.h>

#include "base/slice.h"

/* Zero-initialized memory suspects no topic. */
struct ack_levels {
    unsigned taken;    /* most levels of a topic that was confirmed while others were suspects */
    unsigned refused;  /* fewest levels of a topic that ended a connection, > taken; 0 = none */
    unsigned given_up; /* fewest levels of a topic that was given up, >= refused; 0 = none */
};

/* The connection has ended while only an acknowledgment to this topic was under way. */
void ack_levels_refused(struct ack_levels *levels, struct slice topic);

/* The acknowledgment to this topic is given up. */
void ack_levels_given_up(struct ack_levels *levels, struct slice topic);

/* The broker has confirmed an acknowledgment to this topic. */
void ack_levels_taken(struct ack_levels *levels, struct slice topic);

/* Is the topic to be published alone? */
bool ack_levels_suspect(const struct ack_levels *levels, struct slice topic);

/* Is one loss enough to give the topic up? */
bool ack_levels_hopeless(const struct ack_levels *levels, struct slice topic);

#endif
