/*
 * journal_state: the lowest part of the journal: the list of segments, the accounts of room and of
 * stored messages, and failing. Only for the journal's own files; journal_internal.h says who owns
 * what.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_JOURNAL_JOURNAL_STATE_H
#define MQTT2PG_JOURNAL_JOURNAL_STATE_H

#include "journal/journal_internal.h"

/* To be called, without the lock, when the disk has failed: logs that once, stops the process,
 * wakes all threads that wait. */
void journal_fail(struct journal *journal, const struct error *error);

/* Without the lock. Has somebody deleted the directory or `fd`, the segment that is being written
 * (-1: none)? Then logs that once and makes the journal crowded for good. Readers can still read
 * the files that they have open. */
bool journal_is_gone(struct journal *journal, int fd);

/* To be called with the lock after `stored`, `last` or the list has changed: finds which segments
 * are wholly stored, computes `first`, and finds whether the journal is crowded. */
void journal_account(struct journal *journal);

/* With the lock: the part of journal_account() that an append needs. Finds whether the journal is
 * crowded, with a hysteresis between reserve and relief. */
void journal_account_room(struct journal *journal);

static inline int64_t journal_larger(int64_t left, int64_t right)
{
    return left > right ? left : right;
}

/* With the lock. Highest number that may be in this segment. */
uint64_t journal_segment_last(const struct journal *journal, size_t index);

/* With the lock. The state to write into the file "position" now. */
struct cursor_state journal_cursor_state(const struct journal *journal, bool clean);

/* Syncs a segment's file with the fault points around it. */
enum outcome journal_sync_file(int fd, struct error *error) MUST_CHECK;

/* Adds a segment at the end of the list, with the lock; takes `fd`. */
struct journal_segment *journal_add_segment(struct journal *journal,
                                            const struct segment_header *header);

struct segment_header journal_header(const struct journal *journal, uint64_t first_sequence);

/* With the lock. How many messages the segments after this one hold, without skipped numbers. */
uint64_t journal_messages_behind(const struct journal *journal, size_t index);

#endif
