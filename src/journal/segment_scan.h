/*
 * segment_scan: reads the records of one segment in order, and skips damage.
 *
 *     offset
 *       ▼
 *   … │ record │ record │ ??????? │ record │ 0000…     limit
 *       RECORD   RECORD   DAMAGE    RECORD   END
 *
 * The scan trusts only checksums. When there is no sound record at `offset`, it tries every aligned
 * place behind it. At END, tail_from and tail_to enclose the bytes after the last record that are
 * not all zero. The scan reads through one buffer of 256 KB, which grows to the largest record and
 * shrinks back. Recovery and readers share this module. One thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_JOURNAL_SEGMENT_SCAN_H
#define MQTT2PG_JOURNAL_SEGMENT_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/outcome.h"
#include "journal/journal_format.h"

struct segment_scan {
    int fd; /* borrowed */
    uint64_t seed;
    uint64_t expected; /* the lowest sequence that may come */
    int64_t offset;    /* of the next record */
    int64_t limit;     /* bytes after it are not read; the caller may raise it */

    int64_t record_offset; /* RECORD: the record's offset */
    int64_t damage_from;   /* DAMAGE: [from, to) is no record */
    int64_t damage_to;
    int64_t tail_from; /* END: behind the last sound record … */
    int64_t tail_to;   /* … and behind the last byte that is not zero; equal when all are */

    uint8_t *bytes; /* owned: the file's bytes [base, base + length) */
    size_t capacity;
    size_t length;
    int64_t base;
    int64_t exhausted; /* no sound record between offset and here; -1 = not known */
};

enum segment_scan_result {
    SEGMENT_SCAN_RECORD, /* `message` is filled, borrowing the buffer until the next call */
    SEGMENT_SCAN_DAMAGE, /* a sound record follows at damage_to */
    SEGMENT_SCAN_END,    /* no sound record before the limit */
    SEGMENT_SCAN_FAILED, /* I/O error, `error` is filled */
};

/* Starts at the first record of a segment. Keeps the buffer of an earlier use; zeroed memory is
 * legal. */
void segment_scan_start(struct segment_scan *scan, int fd, const struct segment_header *header,
                        int64_t limit);
void segment_scan_fini(struct segment_scan *scan);

/* After segment_scan_start(): starts at `offset` instead, before which all records are older than
 * `expected`. */
void segment_scan_start_at(struct segment_scan *scan, int64_t offset, uint64_t expected);

enum segment_scan_result segment_scan_next(struct segment_scan *scan, struct message *message,
                                           struct error *error) MUST_CHECK;

/*
 * After END with a tail: is the tail what kill -9 leaves of a record that was being written? The
 * kernel ends an interrupted write between two pages, so such a tail has a record's beginning and
 * only zeros from some page's end on. The record was never acknowledged. False when the tail can't
 * be read.
 */
bool segment_scan_unfinished(struct segment_scan *scan);

#endif
