/*
 * journal: the messages between broker and database, on disk. The receiving half only appends, the
 * storing half only reads.
 *
 * An append that has returned OUTCOME_OK survives the death of the process at once and the death of
 * the machine after the sync policy's delay. Messages are numbered upwards from 1. Numbers are
 * skipped only after damage or a power loss, because a number might be used twice otherwise;
 * skipped numbers are known, and never count as lost messages (FORMAT.md, "Numbers"). A journal has
 * a UUID, so that numbers of one journal are never taken for those of another.
 *
 * Threads: one appender, readers, and the keeper, which this module starts: it alone makes and
 * deletes files, it syncs (unless JOURNAL_SYNC_ALWAYS) and writes down the position. All functions
 * below may be called from any thread, except where they name one. No lock is held while a file is
 * written, synced or read.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_JOURNAL_JOURNAL_H
#define MQTT2PG_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/outcome.h"
#include "core/message.h"

#define JOURNAL_SYNC_ALWAYS 0
#define JOURNAL_SYNC_NEVER (-1)

struct journal_options {
    const char *directory; /* borrowed; made with mode 0700 when missing */
    int64_t max_bytes;     /* segments on disk together; at least JOURNAL_BYTES_MIN */
    /* A power loss takes at most the messages of the last `sync_ms` milliseconds.
     * JOURNAL_SYNC_ALWAYS: it takes none. JOURNAL_SYNC_NEVER: no limit. */
    int64_t sync_ms;
    int64_t keep_ms; /* stored messages stay this long, within max_bytes */
    /* So many of the newest messages stay, within max_bytes, even when they are stored. When
     * max_bytes forces one of them out, journal_deliveries() keeps its packet id and hash. */
    uint64_t keep_messages;
    /* the journal grows only while the disk has more free room than this */
    int64_t keep_free_bytes;
    bool read_only; /* for the command line: no lock, no repair, no keeper; append is not allowed */
};

#define JOURNAL_BYTES_MIN ((int64_t) 1024 * 1024)
#define JOURNAL_UUID_TEXT 37 /* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" and NUL */

struct journal;

/*
 * Opens or makes the journal in the directory, takes its lock (flock on the file "lock";
 * OUTCOME_FATAL with the holder's process id when another process has it), repairs the tail, syncs
 * what it found and starts the keeper. Reads only the newest segment and the headers of the others,
 * so a backlog of 10 GB opens as fast as an empty one. A newer format or a foreign file is refused.
 * Damage is reported and is never fatal.
 */
enum outcome journal_open(struct journal **journal, const struct journal_options *options,
                          struct error *error) MUST_CHECK;

/* Syncs, stops the keeper, releases the lock. NULL is legal. */
void journal_close(struct journal *journal);

/*
 * Appends one message and sets its sequence. One thread at a time.
 *
 * OUTCOME_RETRY: nothing was appended. There is no room (max_bytes is reached, or the disk is
 * full): try again after journal_wait_room(). Or a person has deleted the journal's files: then
 * only a restart helps. OUTCOME_REJECT: the message alone is larger than max_bytes. OUTCOME_FATAL:
 * the disk failed, now or in an earlier sync. The message must not be acknowledged, and the process
 * must end: this function logs the failure and calls stop_request(1).
 */
enum outcome journal_append(struct journal *journal, struct message *message,
                            struct error *error) MUST_CHECK;

/* Makes all messages appended so far durable, now. */
enum outcome journal_sync(struct journal *journal, struct error *error) MUST_CHECK;

/*
 * The journal is "crowded" when less room is left than its reserve (the larger of one segment and
 * an eighth of max_bytes). The receiving side then disconnects, and the messages that are already
 * under way find room in the reserve. The journal stays crowded until a quarter of max_bytes is
 * free.
 */
bool journal_crowded(const struct journal *journal);

/* Waits until there is room for an append, at most `milliseconds`. False when there is none. */
bool journal_wait_room(struct journal *journal, int64_t milliseconds);

/* Waits until the message with this sequence has been appended, at most `milliseconds`; false when
 * it has not been. One waiting thread (the loader). journal_wake() ends the wait early. */
bool journal_wait(struct journal *journal, uint64_t sequence, int64_t milliseconds);
void journal_wake(struct journal *journal);

/* The highest number given so far: that of the newest message, or higher after numbers were
 * skipped; 0 when there never was one. */
uint64_t journal_last(const struct journal *journal);

/* Sequence of the oldest message still on disk (last + 1 when there is none). */
uint64_t journal_first(const struct journal *journal);

/* Did the machine stop, before this opening, without closing the journal, under a sync policy that
 * may lose messages then? *last_us is received_at of the newest message that is left; 0 when
 * unknown. */
bool journal_lost_power(const struct journal *journal, int64_t *last_us);

/* The sequence from which a reader gets the newest `messages` messages, or all that are on disk
 * when there are fewer. Skipped numbers do not count. */
uint64_t journal_tail(struct journal *journal, uint64_t messages);

/* The note that is kept of a QoS 1 or 2 message that was deleted, or of a copy that was never
 * appended. */
struct journal_delivery {
    uint64_t sequence;
    uint64_t hash;         /* core/message.h */
    uint32_t subscription; /* identifier of the first one that the copy came for; 0 = unknown */
    uint16_t packet_id;
    uint8_t broker; /* struct message; 0 = unknown */
};

/*
 * The notes on deliveries with sequences below `before`, in ascending order. For each packet id
 * there is at most one note, on its newest delivery. Messages that were not among the newest
 * keep_messages when they were deleted have no note, nor do deliveries from before a lost session
 * (core/gap.h). Returns the number of notes; *deliveries is the caller's to free.
 */
size_t journal_deliveries(struct journal *journal, uint64_t before,
                          struct journal_delivery **deliveries);

/* Notes a delivery that is not appended (a copy), with the sequence of the message before it, for
 * journal_deliveries(). The note survives the death of the process at once; the death of the
 * machine may take it. Only the appender calls this. OUTCOME_RETRY when there is no room. */
enum outcome journal_note_delivery(struct journal *journal, const struct journal_delivery *delivery,
                                   struct error *error) MUST_CHECK;

/*
 * Everything up to and including `sequence` is stored: the keeper may delete its segments once
 * `keep_ms` has passed, or earlier when room is needed. The position is written to disk, so that
 * journal_stored() knows it at the next start before the database can be asked. It is not synced,
 * because an older position is safe as well. May go back (database restored).
 */
void journal_set_stored(struct journal *journal, uint64_t sequence);

/* Where the message `sequence`, or the next one behind it, stands. */
struct journal_place {
    uint64_t sequence;
    uint64_t segment; /* first sequence of the segment; 0: not known */
    int64_t offset;   /* all records before it in the segment are older than `sequence` */
};

/* Remembers where the message behind the stored ones stands. A reader that seeks this message then
 * begins there instead of at the beginning of the segment. */
void journal_set_place(struct journal *journal, const struct journal_place *place);

uint64_t journal_stored(const struct journal *journal);

const char *journal_uuid(const struct journal *journal);

struct journal_info {
    char uuid[JOURNAL_UUID_TEXT];
    uint64_t first, last, stored;
    /* Messages on disk that are not stored. `last` - `stored` would also count skipped numbers. */
    uint64_t waiting;
    int64_t bytes; /* on disk, a prepared segment included */
    /* Of `bytes`, in segments that hold a message that is not stored. The rest can be deleted. */
    int64_t waiting_bytes;
    int64_t max_bytes;
    unsigned segments;
    /* received_at of the oldest message not stored; 0 when none waits. May read the disk. */
    int64_t oldest_us;
    int64_t last_us; /* received_at of the newest message; 0 = none */
    bool crowded;
    bool full;      /* the last append found no room */
    bool disk_full; /* crowded because the disk is full, not because of max_bytes */
    bool gone; /* a person deleted its files; it stays crowded until the process is restarted */
    /* The files in damaged/, where damaged bytes are kept for a person. Only a person deletes them,
     * and they don't count against max_bytes. */
    unsigned set_aside_files;
    int64_t set_aside_bytes;
};

void journal_info(struct journal *journal, struct journal_info *info);

#endif
