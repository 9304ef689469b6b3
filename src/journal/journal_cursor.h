/*
 * journal_cursor: the file "position", which has the state of a journal apart from its messages.
 *
 * The file has three slots, each with a counter and a checksum; the sound slot with the highest
 * counter is valid. Frequent writes without a sync go to a slot of their own, which a power loss
 * may damage. Synced writes alternate between the other two slots: when a power loss damages the
 * slot that is being written, the other slot has the last synced state, and with it the journal's
 * UUID. After a power loss the state may be old: its numbers are lower bounds, and the segments
 * have the truth (FORMAT.md, "Numbers"). One thread at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_JOURNAL_JOURNAL_CURSOR_H
#define MQTT2PG_JOURNAL_JOURNAL_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/outcome.h"

#define CURSOR_FILE_NAME "position"
#define CURSOR_SLOT_BYTES 96
#define CURSOR_SLOT_DISTANCE 4096 /* in different sectors of any disk */
#define CURSOR_SLOTS 3            /* two that are synced, in turn, and the last one, that is not */

struct cursor_state {
    uint8_t uuid[16]; /* of the journal */
    uint64_t stored;  /* messages up to here are in the database */
    uint64_t last;    /* the highest number given */
    uint64_t skipped; /* the last so many numbers up to `last` belong to no message */
    uint64_t synced;  /* messages up to here are known to be on disk */
    /* messages up to here have been deleted with their segments; written and synced before */
    uint64_t deleted;
    uint64_t boot; /* cursor_boot() when this was written; 0 = not known */
    bool clean;    /* written by journal_close(); nothing was appended since */
};

struct journal_cursor {
    int fd;
    uint64_t counter; /* of the newest slot; 0: no slot is sound */
    int next_synced;  /* the slot for the next synced state: not the one that holds the last */
};

/* Opens or makes the file and reads the newest sound slot. cursor_found() tells whether there is
 * one; a slot that the disk cannot read is not sound. Read only: a missing file is no error. */
enum outcome cursor_open(struct journal_cursor *cursor, int directory_fd, bool read_only,
                         struct cursor_state *state, struct error *error) MUST_CHECK;

static inline bool cursor_found(const struct journal_cursor *cursor)
{
    return cursor->counter > 0;
}

/* A cursor that was never opened (fd -1) is legal. */
void cursor_close(struct journal_cursor *cursor);

/* Reserves the slots' blocks, so that a disk that fills up later cannot keep a position from being
 * written. */
enum outcome cursor_reserve(struct journal_cursor *cursor, struct error *error) MUST_CHECK;

/* Writes without a sync. */
enum outcome cursor_write(struct journal_cursor *cursor, const struct cursor_state *state,
                          struct error *error) MUST_CHECK;

/* Writes and syncs. OUTCOME_RETRY when there was no room to write: nothing is changed and nothing
 * synced. */
enum outcome cursor_write_synced(struct journal_cursor *cursor, const struct cursor_state *state,
                                 struct error *error) MUST_CHECK;

/* A number for this start of the machine, never 0; 0 when the kernel does not tell
 * (/proc/sys/kernel/random/boot_id, random(4)). */
uint64_t cursor_boot(void);

#endif
