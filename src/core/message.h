/*
 * message: one MQTT application message on its way through the program.
 *
 * A message borrows its bytes: from Paho while it is appended to the journal, from the reader's
 * buffer while it is loaded. A module that keeps a message longer copies it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_MESSAGE_H
#define MQTT2PG_CORE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum message_kind {
    MESSAGE_PUBLISH = 1, /* came from the broker */
    MESSAGE_GAP = 2,     /* reports messages that never came: core/gap.h */
    MESSAGE_HEAD = 4,    /* came from the broker and was too large: message_cut() */
};

/* The highest broker number that a record has room for. */
#define MESSAGE_BROKER_MAX 15

/* All slices are borrowed: from the receive buffer, a journal segment or a dead letter. */
struct message {
    enum message_kind kind;
    uint8_t qos;            /* 0, 1, 2 as delivered */
    uint8_t broker;         /* which of the configured brokers sent it, from 1; 0 = unknown */
    bool retained;          /* the broker had stored it before we subscribed */
    bool duplicate;         /* the broker said it may have sent it before */
    uint16_t packet_id;     /* 0 for QoS 0 */
    uint64_t sequence;      /* its number in the journal, from 1; 0 before the append */
    int64_t received_at_us; /* wall clock, microseconds since 1970 */
    struct slice topic;     /* any bytes; at most 65,535 */
    /* MQTT 5 properties as on the wire, without their length: core/property.h */
    struct slice properties;
    struct slice payload;
    uint64_t whole_bytes; /* MESSAGE_HEAD: of the payload as it came; else 0 */
};

static inline bool message_is_delivery(const struct message *message)
{
    return message->kind == MESSAGE_PUBLISH || message->kind == MESSAGE_HEAD;
}

/* The bytes of the payload that are kept of a message that is too large. */
#define MESSAGE_HEAD_BYTES ((size_t) 4096)

/* Makes a publication the head of itself: whole_bytes tells how large its payload was. Properties
 * that are larger than a head are left out. The head is journaled, recognized and acknowledged like
 * a whole message, and becomes a dead letter of each rule that would have taken the message. */
void message_cut(struct message *message);

/* A hash of topic and payload, by which copies and repeats of a publication are recognized. The
 * topic's hash seeds the payload's, so that "a" + "bc" differs from "ab" + "c". */
uint64_t message_hash(const struct message *message);

/* Did this copy come for the subscription with this identifier (MQTT 5)? */
bool message_came_for(const struct message *message, uint32_t subscription);

#endif
