/*
 * outbox: publishes acknowledgments after the commit, at least once, also across kill -9 and power
 * loss.
 *
 * Only the loader's thread calls these functions, except outbox_waiting().
 *
 * The acknowledgments of a transaction are written to a file of their own, which is synced before
 * COMMIT is sent. The transaction changes this client's row of `progress`: a batch moves the
 * position, and each transaction increases stored_at, also one that stores parked messages and
 * leaves the position where it is. The file's mark is the (position, stored_at) that the
 * transaction writes. PostgreSQL alone decides whether the acknowledgments may go out: they are
 * true when the row is at the mark or beyond. When the row is before the mark, the transaction did
 * not happen: the file is deleted, and storing the messages again makes new acknowledgments. A
 * known rollback deletes the file at once.
 *
 * The outbox's thread publishes a committed file, waits for the broker's confirmation, and deletes
 * the file; after a crash in between it publishes the file again. So memory stays bounded while the
 * broker is away, a rejection keeps its exact reason, and there is no second position to keep.
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

/* Sets whether acknowledgments are expected. If so, the outbox keeps a connection to the broker
 * ready, so that the first acknowledgment need not wait for one. The loader calls it when it knows
 * that no other process uses our client id, and after a change of rules. */
void outbox_expect(struct outbox *outbox, bool expected);

/* The row of `progress` is at `stored`: files up to it become due, later ones are removed. Called
 * by the loader each time it has read the row (start, reconnect). Starts the thread if need be. */
enum outcome outbox_settle(struct outbox *outbox, const struct outbox_mark *stored,
                           struct error *error) MUST_CHECK;

/* Is there room for the batch? OUTCOME_RETRY: not before the broker has confirmed some
 * acknowledgments. */
enum outcome outbox_check_room(struct outbox *outbox, const struct ack_batch *batch,
                               struct error *error) MUST_CHECK;

/* Writes the batch's file, before COMMIT of the transaction that moves the row to `mark`. Does
 * nothing for an empty batch. OUTCOME_RETRY: the outbox holds files and max_bytes are reached;
 * there is room when the broker has confirmed some acknowledgments. OUTCOME_REJECT: the disk has no
 * room for so many acknowledgments. */
enum outcome outbox_prepare(struct outbox *outbox, const struct outbox_mark *mark,
                            const struct ack_batch *batch, struct error *error) MUST_CHECK;

/* After OUTCOME_RETRY: waits until there is room for what was refused. False when time ran out. */
bool outbox_wait_room(struct outbox *outbox, int64_t milliseconds);

/* For the file that outbox_prepare() wrote last: outbox_commit(), after COMMIT was confirmed, makes
 * it due; outbox_abort(), after a certain rollback, deletes it. */
void outbox_commit(struct outbox *outbox);
void outbox_abort(struct outbox *outbox);

/* Tries for `milliseconds` to publish all that is due, then stops the thread and frees the outbox.
 * NULL is legal. */
void outbox_close(struct outbox *outbox, int64_t milliseconds);

/* Acknowledgments due and not yet confirmed. Any thread. */
uint64_t outbox_waiting(const struct outbox *outbox);

#endif
