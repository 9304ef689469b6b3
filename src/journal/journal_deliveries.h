/*
 * journal_deliveries: the file "deliveries": notes on messages whose segments are deleted.
 *
 * The receiving side rebuilds its memory of what the broker may repeat (mqtt/redelivery.h) from the
 * journal's newest messages, and the storing side its memory of copies (route/copies.h). A journal
 * that is too small to hold them all deletes some of them as soon as they are stored. Their packet
 * ids, hashes and subscriptions stay in this file, which is on disk before the segment is deleted.
 * The file keeps the newest delivery of each packet id: a broker gives an id to another message
 * only after the acknowledgment of the one before. So 1.5 MB are enough. They are reserved when the
 * journal is opened, because a full disk may be what makes a journal small; not where they are more
 * than an eighth of max_size or half of the disk's free room.
 *
 * Bytes: FORMAT.md, "Deliveries". Threads: the keeper writes notes on deleted messages, the
 * appender notes on copies that were never in a segment; any thread reads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_JOURNAL_JOURNAL_DELIVERIES_H
#define MQTT2PG_JOURNAL_JOURNAL_DELIVERIES_H

#include <pthread.h>

#include "journal/journal.h"

#define DELIVERIES_FILE_NAME "deliveries"

struct deliveries_file {
    int fd;               /* -1: not open */
    pthread_mutex_t lock; /* of the file's bytes: the keeper and the appender write them */
};

void deliveries_init(struct deliveries_file *file);

/* Closes the file if it is open. */
void deliveries_fini(struct deliveries_file *file);

/* While the journal is opened for writing: makes the file. */
enum outcome deliveries_open(struct journal *journal, struct error *error) MUST_CHECK;

/* Writes and syncs the notes on the messages `first` to `last`. The keeper calls it without the
 * lock, before it deletes their segment. OUTCOME_RETRY when there is no room. */
enum outcome deliveries_keep(struct journal *journal, uint64_t first, uint64_t last,
                             struct error *error) MUST_CHECK;

#endif
