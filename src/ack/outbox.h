/*
 * outbox: acknowledgments go out after the commit, at least once, also across kill -9 and power
 * loss.
 *
 * Everything here but outbox_waiting() belongs to the loader's thread.
 *
 * The acknowledgments of a transaction are written to a file of their own and synced before COMMIT
 * is sent. The transaction moves this client's row of `progress`: a batch moves the position, and
 * stored_at grows with each (parked messages are stored long after their batch, where the position
 * stays). Whether the acknowledgments may go out is then decided by PostgreSQL alone: when the row
 * is at the file's mark (position, stored_at) or beyond it they are true; before it the file is
 * thrown away, and what is stored anew makes them anew. A known rollback removes the file at once.
 * The outbox's thread publishes a committed file whole, waits for the broker's confirmation, and
 * deletes it; a crash in between publishes it again. So memory stays bounded while the broker is
 * away, a rejection keeps its exact reason, and no second position has to be kept in step.
 *
 * Fault points: "ack.file.written" (before COMMIT), "ack.publish.before", "ack.publish.after"
 * (confirmed, the file is still there), "ack.file.deleted".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ACK_OUTBOX_H
#define MQTT2PG_ACK_OUTBOX_H

#include "ack/ack_batch.h"
#include "ack/outbox_file.h"
#include "base/outcome.h"
#include "mqtt/broker_options.h"
#include "mqtt/broker_place.h"

struct outbox_options {
    const char *directory; /* borrowed; "outbox" in the journal's directory; made when missing */
    const char *journal;   /* UUID, borrowed: files of another journal are dropped with a warning */
    int64_t max_bytes;     /* of all files */
    const struct broker_options *broker; /* borrowed */
    const struct broker_place *place;    /* borrowed; of the receiving connection */
};

struct outbox;

/* Opens the directory; publishes nothing yet. */
enum outcome outbox_open(struct outbox **outbox, const struct outbox_options *options,
                         struct error *error) MUST_CHECK;

/* Are acknowledgments to be expected? Then the outbox keeps a connection to the broker ready, so
 * that the first acknowledgment need not wait for one. The loader calls it when no other process
 * has our identity, and after a change of rules. */
void outbox_expect(struct outbox *outbox, bool expected);

/* The row of `progress` is at `stored`: files up to it become due, later ones are removed. Called
 * by the loader each time it has read the row (start, reconnect). Starts the thread if need be. */
enum outcome outbox_settle(struct outbox *outbox, const struct outbox_mark *stored,
                           struct error *error) MUST_CHECK;

/* Is there room for the batch, so that outbox_prepare() does not wait for the broker?
 * OUTCOME_RETRY: the broker must take some first. */
enum outcome outbox_check_room(struct outbox *outbox, const struct ack_batch *batch,
                               struct error *error) MUST_CHECK;

/* Before COMMIT of the transaction that moves the row to `mark`. Does nothing for an empty batch.
 * OUTCOME_RETRY: max_bytes are reached, and it is not empty: the broker must take some first.
 * OUTCOME_REJECT: the disk has no room for so many. */
enum outcome outbox_prepare(struct outbox *outbox, const struct outbox_mark *mark,
                            const struct ack_batch *batch, struct error *error) MUST_CHECK;

/* After OUTCOME_RETRY: waits until there is room for what was refused. False when time ran out. */
bool outbox_wait_room(struct outbox *outbox, int64_t milliseconds);

/* What was prepared last: after COMMIT was confirmed / after the transaction was certainly rolled
 * back. */
void outbox_commit(struct outbox *outbox);
void outbox_abort(struct outbox *outbox);

/* Tries to publish all that is due within `milliseconds`, then stops the thread and frees
 * everything. NULL is legal. */
void outbox_close(struct outbox *outbox, int64_t milliseconds);

/* Acknowledgments due and not yet confirmed. Any thread. */
uint64_t outbox_waiting(const struct outbox *outbox);

#endif
