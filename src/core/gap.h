/*
 * gap: messages that never came, as a record in the journal.
 *
 * A lost broker session is noticed on the receiving side, a power loss when the journal is opened,
 * a damaged segment by the reader; each must be in the table mqtt2pg.gap exactly once. So the
 * receiving side journals a gap like a message (kind MESSAGE_GAP) and the loader stores it in its
 * batch's transaction.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_GAP_H
#define MQTT2PG_CORE_GAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/message.h"

/* The causes that travel through the journal. */
extern const char gap_session_lost[];         /* "broker session lost" */
extern const char gap_session_perhaps_lost[]; /* "broker session perhaps lost" */
extern const char gap_power_loss[];           /* "power loss" */

/* The constant above with the same text, for a cause that was read from the journal and borrows the
 * reader's buffer. "" for a cause that is not among them. */
struct slice gap_cause_kept(struct slice cause);

struct gap {
    struct slice cause;    /* one of these, "journal damaged" or "database went back" */
    int64_t noticed_at_us; /* wall clock */
    int64_t from_us;       /* the last proof before the gap that messages came; 0 = not known */
    int64_t to_us;         /* the first proof behind it; 0 = not known */
    int64_t messages;      /* how many; -1 = not known */
};

/* Makes the message that journals `gap`; its payload lives in `payload`. */
struct message gap_to_message(const struct gap *gap, struct buf *payload);

/* The way back; false when the message is no well-formed gap. Borrows. */
bool gap_from_message(const struct message *message, struct gap *gap);

#endif
