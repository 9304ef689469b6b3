/*
 * journal_deliveries: the file "deliveries": notes on messages whose segments are deleted.
 *
 * From the journal's newest messages the receiving half rebuilds its memory of possible repeats
 * (mqtt/redelivery.h), and the storing half its memory of copies (route/copies.h). A journal that
 * is too small for all these messages deletes some of them as soon as they are stored. Their packet
 * ids, hashes and subscriptions stay in this file, which is on disk before the segment is deleted.
 * The file keeps the newest delivery of each packet id: a broker gives an id to another message
 * only after the acknowledgment of the one before. So 1.5 MB are enough. They are reserved when the
 * journal is opened, because the disk may be full later. They are not reserved when they would take
 * more than an eighth of max_size or half of the disk's free room.
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

/* Opens or makes the file, while the journal is being opened for writing. */
enum outcome deliveries_open(struct journal *journal, struct error *error) MUST_CHECK;

/* Writes and syncs the notes on the messages `first` to `last`. The keeper calls it without the
 * lock, before it deletes their segment. OUTCOME_RETRY when there is no room. */
enum outcome deliveries_keep(struct journal *journal, uint64_t first, uint64_t last,
                             struct error *error) MUST_CHECK;

#endif
