/*
 * outbox_file: the acknowledgments of one batch in a file with a checksum: all of it counts or
 * none.
 *
 *   0    8   "MQ2PGACK"
 *   8    4   version, 1                       integers little-endian
 *   12   4   count of acknowledgments
 *   16   36  UUID of the journal, as text
 *   52   4   0
 *   56   8   position that the transaction writes into its row of progress
 *   64   8   stored_at that the transaction writes there, microseconds since 1970
 *   72   8   length of what follows the header
 *   80   8   XXH3 (64 bits) of bytes 0 to 79, seed of the XXH3 of what follows
 *   88   …   acknowledgments: ack_batch.h
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ACK_OUTBOX_FILE_H
#define MQTT2PG_ACK_OUTBOX_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "ack/ack_batch.h"
#include "base/outcome.h"

#define OUTBOX_HEADER_BYTES 88
#define OUTBOX_UUID_BYTES 36

/* A state of this client's row in `progress`. Each transaction of ours makes a later one. */
struct outbox_mark {
    uint64_t position;
    int64_t stored_at_us;
};

struct outbox_file {
    char journal[OUTBOX_UUID_BYTES + 1];
    struct outbox_mark mark;
    uint32_t count;
};

/* Writes file and directory entry durably; OUTCOME_RETRY when the disk is full. */
enum outcome outbox_file_write(int directory_fd, const char *name, const struct outbox_file *file,
                               struct slice acks, struct error *error) MUST_CHECK;

/* Appends the whole file to `content` and checks it; `acks` borrows from `content`. OUTCOME_REJECT:
 * there is no such file, or it is damaged, for example by an unreadable sector. OUTCOME_FATAL:
 * reading failed otherwise. */
enum outcome outbox_file_read(const char *path, struct outbox_file *file, struct buf *content,
                              struct slice *acks, struct error *error) MUST_CHECK;

#endif
