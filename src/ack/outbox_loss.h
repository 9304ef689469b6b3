/*
 * outbox_loss: decides about an acknowledgment after a connection has ended while it was under way.
 * Pure.
 *
 * Whoever sends a request chooses the topic of its answer, and a broker may end the connection of a
 * client that publishes there (Mosquitto: a topic of more than 200 levels). Such an answer must not
 * keep back the others, and a connection that ends by chance must cost no answer:
 *
 *   many under way ─ended─▶ one at a time ─ended─▶ aside, behind all others ─ended─▶ tried again
 *                                 │                                                    behind all
 *                                 │                                                    others
 *                                 └─ too many stand aside already: tried again where it stands
 *
 * An acknowledgment is given up when the third connection has ended while it alone was under way,
 * and the broker has confirmed others since it was set aside: a broker that confirms nothing may
 * accept all of them tomorrow. When too many stand aside already, the third connection is enough,
 * and the first one where ack_levels knows that others of its kind were given up.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ACK_OUTBOX_LOSS_H
#define MQTT2PG_ACK_OUTBOX_LOSS_H

#include <stdbool.h>
#include <stdint.h>

#include "ack/outbox_list.h"

enum outbox_remedy {
    OUTBOX_AGAIN,      /* publish again where it stands */
    OUTBOX_MOVE_ASIDE, /* move it into a file of its own, behind all others */
    OUTBOX_TO_THE_END, /* move its file behind all others */
    OUTBOX_GIVE_UP,    /* never publish it; an error in the log says so */
};

/* How a connection ended. */
struct outbox_loss {
    bool alone;         /* the next acknowledgment was published alone */
    bool hopeless;      /* alone, and others of its kind were given up (ack_levels) */
    bool aside_full;    /* no more entries may become OUTBOX_ASIDE */
    uint64_t confirmed; /* other acknowledgments that have been confirmed so far */
};

/* The connection has ended while the next acknowledgment of the entry was under way, perhaps with
 * more of them. Changes the entry's state. */
enum outbox_remedy outbox_entry_lost(struct outbox_entry *entry, const struct outbox_loss *loss);

/* The topic of the acknowledgment that ended the connection is a suspect now, so ack_levels knows
 * others of its kind: the rest of the entry is published many at a time again. */
void outbox_entry_explained(struct outbox_entry *entry);

/* The next `count` acknowledgments of the entry are done: confirmed, moved aside or given up. */
void outbox_entry_confirmed(struct outbox_entry *entry, uint32_t count);

/* How many of the entry's acknowledgments may be under way together. */
uint32_t outbox_entry_step(const struct outbox_entry *entry);

#endif
