/*
 * journal_files: the first half of recovery: finds the segment files and the journal that they
 * belong to, and rebuilds bad headers. Only for journal_recovery.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_JOURNAL_JOURNAL_FILES_H
#define MQTT2PG_JOURNAL_JOURNAL_FILES_H

#include "journal/journal_internal.h"
#include "journal/segment_scan.h"

/* A segment file as it was found. */
struct found {
    uint64_t first_sequence; /* from its name */
    enum format_verdict verdict;
    struct segment_header header; /* when FORMAT_SOUND */
    int64_t bytes;
    int64_t changed_us;
};

struct recovery {
    struct journal *journal;
    struct found *found; /* owned, sorted */
    size_t count;
    size_t capacity;
    struct cursor_state state;
    bool state_found;
    bool power_loss;     /* what was not synced may be gone without a trace */
    uint64_t sound_last; /* the last message that can be read */
    uint64_t given_last; /* the highest number that certainly was given */
    uint64_t maybe_last; /* the highest number that may have been given */
    struct segment_scan scan;
};

static inline uint64_t recovery_higher(uint64_t left, uint64_t right)
{
    return left > right ? left : right;
}

static inline bool recovery_writable(const struct recovery *recovery)
{
    return !recovery->journal->options.read_only;
}

/* Fills found, count, the journal's UUID, given_last and maybe_last. Sets unusable files aside.
 * OUTCOME_FATAL: an I/O error, files of a later version, or files that are not the bridge's. */
enum outcome recovery_find_files(struct recovery *recovery, struct error *error) MUST_CHECK;

#endif
