/*
 * copies: tells copies that a broker sent for overlapping subscriptions, for those who read a journal
 * without the plan of its subscriptions. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_COPIES_H
#define MQTT2PG_LOAD_COPIES_H

#include "base/buf.h"
#include "core/message.h"

enum { COPIES_REMEMBERED = 64 };

/* The last messages. Zero-initialized memory is empty. */
struct copies {
    uint64_t hashes[COPIES_REMEMBERED];
    uint32_t subscriptions[COPIES_REMEMBERED]; /* identifiers; 0 = none */
    size_t at;
};

/* Is it a copy of one of the last messages: the same topic and payload, for another subscription?
 * Messages are to be given in the journal's order. */
bool copies_has(struct copies *copies, const struct message *message);

/* The message's properties without subscription identifiers, so that the topic alone decides which
 * rules it belongs to. */
void copies_strip(const struct message *message, struct buf *properties);

#endif
