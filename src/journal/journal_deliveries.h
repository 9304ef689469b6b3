/*
 * journal_deliveries: the file "deliveries": what stays of a message when its segment is deleted.
 *
 * The receiving side rebuilds its memory of what the broker may repeat (mqtt/redelivery.h) from the
 * journal's newest messages. A journal that is too small to hold them all deletes some of them as
 * soon as they are stored; of these the packet id and the hash stay here, on disk before the
 * segment goes. For each packet id only the newest one: a broker gives an id to another message
 * only when the one before is acknowledged. So 1.5 MB are enough; where they are at most an eighth of
 * max_size and half of the disk's room they are reserved when the journal is opened, for it may be a
 * full disk that makes a journal small.
 *
 * Bytes: FORMAT.md, "Deliveries". Threads: the keeper writes, and the appender what never was in a
 * segment; anyone reads.
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

/* The keeper, without the lock, before it deletes the segment with the messages `first` to `last`:
 * writes and syncs what is to stay of them. OUTCOME_RETRY when there is no room for it. */
enum outcome deliveries_keep(struct journal *journal, uint64_t first, uint64_t last,
                             struct error *error) MUST_CHECK;

#endif
