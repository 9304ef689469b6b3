/*
 * outbox_state: the struct that the two halves of an outbox share: outbox.c, which the loader
 * calls, and outbox_thread.c, which publishes. No other file includes it.
 *
 * `mutex` guards the members below it. After each change outbox_changed() runs
 * outbox_list_check() in test builds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ACK_OUTBOX_STATE_H
#define MQTT2PG_ACK_OUTBOX_STATE_H

#include <pthread.h>

#include "ack/ack_batch.h"
#include "ack/ack_levels.h"
#include "ack/outbox_list.h"
#include "mqtt/publisher.h"

struct outbox {
    char *directory;
    int directory_fd;
    char *journal;
    int64_t max_bytes;
    struct publisher *publisher; /* of the thread */
    /* of the thread: the log says already that there is no connection */
    bool told;
    /* of the thread: confirmed acknowledgments, without those that were aside */
    uint64_t confirmed;
    unsigned losses; /* of the thread: connections that have ended since one was confirmed */
    struct ack_levels levels; /* of the thread */
    bool aside_failed; /* of the thread: the last file of a single acknowledgment found no room */
    pthread_t thread;
    bool started;

    pthread_mutex_t mutex;
    pthread_cond_t cond;
    struct outbox_list list;
    int64_t refused_bytes; /* size of the last file without room; 0 = the last one had room */
    bool expected;         /* a connection is to be kept ready */
    bool closing;          /* ends when nothing is due */
    bool ending;           /* ends now */
};

/* Writes the file of this entry. */
enum outcome outbox_write(struct outbox *outbox, const struct outbox_entry *entry,
                          const struct ack_batch *batch, struct error *error) MUST_CHECK;

/* Deletes the entry's file and forgets it, with the mutex held. */
void outbox_remove(struct outbox *outbox, size_t index);

/* After any change of the list, with the mutex held. */
void outbox_changed(struct outbox *outbox);

#endif
