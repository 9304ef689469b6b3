/*
 * twins: tells copies that a broker sent for overlapping subscriptions, for those who read a
 * journal without the plan of its subscriptions. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_TWINS_H
#define MQTT2PG_LOAD_TWINS_H

#include "base/buf.h"
#include "core/message.h"

enum { TWINS_REMEMBERED = 64 };

/* The last messages. Zero-initialized memory is empty. */
struct twins {
    uint64_t hashes[TWINS_REMEMBERED];
    uint32_t subscriptions[TWINS_REMEMBERED]; /* identifiers; 0 = none */
    size_t at;
};

/* Is it a copy of one of the last messages: the same topic and payload, for another subscription?
 * Messages are to be given in the journal's order. */
bool twins_has(struct twins *twins, const struct message *message);

/* The message's properties without subscription identifiers, so that the topic alone decides which
 * rules it belongs to. */
void twins_strip(const struct message *message, struct buf *properties);

#endif
