/*
 * journal_format: the bytes of a segment header and of a record, as FORMAT.md describes them. Pure.
 *
 * If you change a byte, raise JOURNAL_FORMAT_VERSION, keep a reader for the old version, and
 * describe the change in FORMAT.md.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_JOURNAL_JOURNAL_FORMAT_H
#define MQTT2PG_JOURNAL_JOURNAL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/message.h"

#define JOURNAL_FORMAT_VERSION 2
#define JOURNAL_FORMAT_VERSION_MIN 1 /* the oldest that is read */
#define JOURNAL_SEGMENT_HEADER_BYTES 64
#define JOURNAL_RECORD_HEADER_BYTES 24
#define JOURNAL_RECORD_ALIGN 8
#define JOURNAL_RECORD_BYTES_MIN 48 /* an empty message */

/* The largest valid length of a record: MQTT's largest packet (256 MiB) and room for our own
 * fields. */
#define JOURNAL_RECORD_BYTES_MAX ((size_t) 257 * 1024 * 1024)

/* The highest sequence. Leaves room for arithmetic and fits PostgreSQL's bigint. A record or a
 * position with a higher one was not written by this program. */
#define JOURNAL_SEQUENCE_MAX (((uint64_t) 1 << 60) - 1)

struct segment_header {
    /* as decoded; a header is always written with JOURNAL_FORMAT_VERSION */
    uint32_t version;
    uint8_t uuid[16];        /* of the journal */
    uint64_t first_sequence; /* of the first record in this segment; also its file name */
    uint64_t skipped;        /* the so many numbers directly before it belong to no message */
    int64_t created_at_us;
};

enum format_verdict {
    FORMAT_SOUND,
    FORMAT_EMPTY,   /* zeros: nothing was written here yet */
    FORMAT_SHORT,   /* the record is longer than the given bytes; `size` says how many are needed */
    FORMAT_DAMAGED, /* anything else */
    FORMAT_NEWER,   /* segment header only: written by a later version */
    FORMAT_FOREIGN, /* segment header only: not ours */
};

void segment_header_encode(uint8_t bytes[JOURNAL_SEGMENT_HEADER_BYTES],
                           const struct segment_header *header);
enum format_verdict segment_header_decode(const uint8_t *bytes, size_t length,
                                          struct segment_header *header);

/*
 * The seed of the record checksums of a segment, so that a record which was copied into another
 * segment, or left over from another journal, does not match. The seed depends on uuid and
 * first_sequence alone, which are also known without the header (cursor, file name).
 */
uint64_t record_seed(const struct segment_header *header);

/*
 * The first four bytes of this segment's records. They come from the seed, so that a sender can't
 * fill a payload with them: a search for the next record would have to try every one.
 */
uint32_t record_mark(uint64_t seed);

/* Bytes that the record of this message takes, padding included. */
size_t record_size(const struct message *message);

/* Appends the record, padded with zeros. */
void record_encode(struct buf *out, const struct message *message, uint64_t seed);

/*
 * Reads the record at the front of `bytes`. FORMAT_SOUND fills `message` (borrowing `bytes`) and
 * `size`, padding included, even if the bytes end before the padding does. Nothing is used before
 * the checksum has matched.
 */
enum format_verdict record_decode(struct slice bytes, uint64_t seed, struct message *message,
                                  size_t *size);

#endif
