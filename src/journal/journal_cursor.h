/*
 * journal_cursor: the file "position": what a journal wants to remember beside its messages.
 *
 * Two slots in turn, each with a counter and a checksum: a torn write spoils one, the other is the state before. Written
 * without a sync, so after a power loss it may be old: all in it are lower bounds, the truth is in the segments
 * (FORMAT.md, "Numbers"). One thread at a time.
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

struct cursor_state {
    uint8_t uuid[16]; /* of the journal */
    uint64_t stored;  /* all up to here is in the database */
    uint64_t last;    /* the highest number given */
    uint64_t skipped; /* so many numbers up to `last` were never given to a message */
    uint64_t synced;  /* messages up to here are known to be on disk */
    uint64_t
        deleted; /* messages up to here have been deleted with their segments; written and synced before */
    uint64_t boot; /* which start of the machine this was written in; 0 = not known */
    bool clean;    /* written by journal_close(): nothing came after it */
};

struct journal_cursor {
    int fd;
    uint64_t counter; /* of the newest slot */
};

/* Opens or makes the file and reads the newer sound slot; *found is false when there is none. Read only: a missing file is no error. */
enum outcome cursor_open(struct journal_cursor *cursor, int directory_fd, bool read_only,
                         struct cursor_state *state, bool *found, struct error *error) MUST_CHECK;

/* A cursor that never was opened (fd -1) is legal. */
void cursor_close(struct journal_cursor *cursor);

enum outcome cursor_write(struct journal_cursor *cursor, const struct cursor_state *state,
                          struct error *error) MUST_CHECK;

enum outcome cursor_sync(struct journal_cursor *cursor, struct error *error) MUST_CHECK;

/* A number for this start of the machine, never 0; 0 when the kernel does not tell (/proc/sys/kernel/random/boot_id, random(4)). */
uint64_t cursor_boot(void);

#endif
