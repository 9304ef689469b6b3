/*
 * journal_reader: reads a journal's messages in order, from any position, while it grows.
 *
 * Reading is sequential through one buffer that grows to the largest record and shrinks back;
 * memory does not depend on the backlog. Damage is passed over: the reader goes on with the next
 * sound record, copies the damaged bytes into the directory "damaged/" (writable journals) and
 * tells how many messages are missing. One thread per reader.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_JOURNAL_JOURNAL_READER_H
#define MQTT2PG_JOURNAL_JOURNAL_READER_H

#include "journal/journal.h"

struct journal_reader;

/* Borrows the journal, which must be closed later. */
struct journal_reader *journal_reader_new(struct journal *journal);
void journal_reader_free(struct journal_reader *reader);

/*
 * Makes `sequence` the next message to be read. When it is older than all messages on disk, the
 * next read reports the missing ones and then gives the oldest. One more than the newest is legal:
 * there is nothing to read yet. A higher one is OUTCOME_FATAL: the position belongs to another
 * journal.
 */
enum outcome journal_reader_seek(struct journal_reader *reader, uint64_t sequence,
                                 struct error *error) MUST_CHECK;

enum journal_read {
    JOURNAL_READ_MESSAGE, /* `message` is filled */
    JOURNAL_READ_END,     /* nothing more for now */
    JOURNAL_READ_MISSING, /* `missing` is filled; the next call continues after the hole */
    JOURNAL_READ_FAILED,  /* I/O error; `error` is filled */
};

struct journal_missing {
    uint64_t first;  /* sequence of the first missing message */
    uint64_t count;  /* how many; skipped numbers (journal.h) are not counted */
    int64_t from_us; /* received_at of the message before, 0 = not known */
    int64_t to_us;   /* received_at of the message after, 0 = not known */
    bool deleted;    /* true: deleted, older than what the journal keeps; false: damaged */
};

struct journal_next {
    struct message message; /* borrows the reader's buffer until the next call */
    struct journal_missing missing;
    struct error error;
};

enum journal_read journal_reader_next(struct journal_reader *reader,
                                      struct journal_next *next) MUST_CHECK;

/* Sequence that the next call reads. */
uint64_t journal_reader_position(const struct journal_reader *reader);

/* Where it stands, for journal_set_place(). */
struct journal_place journal_reader_place(const struct journal_reader *reader);

#endif
