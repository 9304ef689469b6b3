/*
 * journal_files: the first half of recovery: which segment files there are, which journal they
 * belong to, and which bad headers can be made again. Only for journal_recovery.c.
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
    uint64_t maybe_last; /* the highest that may have been */
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

/* Fills found, count, the journal's UUID, given_last and maybe_last. What can't be used is set
 * aside. Fatal: an I/O error, a later version's files, or somebody else's. */
enum outcome recovery_find_files(struct recovery *recovery, struct error *error) MUST_CHECK;

#endif
