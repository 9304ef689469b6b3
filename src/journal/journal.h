/*
 * journal: the waist of the house. Left of it messages are only appended, right of it they are only
 * read.
 *
 * An append that has returned OUTCOME_OK survives the death of the process at once and the death of
 * the machine after the sync policy's delay. Messages are numbered upwards from 1. Numbers are left
 * out only where a number might else be used twice (after damage, a power loss), never silently
 * lost: FORMAT.md, "Numbers". A journal has a UUID, so that numbers of one journal are never taken
 * for those of another.
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
    /* A power loss takes at most what came in this many milliseconds before it. Also
     * JOURNAL_SYNC_ALWAYS (takes nothing) or JOURNAL_SYNC_NEVER. */
    int64_t sync_ms;
    int64_t keep_ms; /* stored messages stay this long, within max_bytes */
    /* This many of the newest messages stay in any case, within max_bytes. Of those that have to be
     * deleted earlier journal_deliveries() keeps packet id and hash. */
    uint64_t keep_messages;
    int64_t keep_free_bytes; /* the journal takes no more of its disk when less than this is left */
    bool read_only; /* for the command line: no lock, no repair, no keeper; append is not allowed */
};

#define JOURNAL_BYTES_MIN ((int64_t) 1024 * 1024)
#define JOURNAL_UUID_TEXT 37 /* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" and NUL */

struct journal;

/*
 * Opens or makes the journal in the directory, takes its lock (flock on the file "lock";
 * OUTCOME_FATAL with the holder's process id when another process has it), repairs the tail, syncs
 * what it found and starts the keeper. Reads only the newest segment and the headers of the others,
 * so a backlog of 10 GB opens as fast as an empty one. A newer format or a foreign file is refused,
 * damage is reported and never fatal.
 */
enum outcome journal_open(struct journal **journal, const struct journal_options *options,
                          struct error *error) MUST_CHECK;

/* Syncs, stops the keeper, gives the lock back. NULL is legal. */
void journal_close(struct journal *journal);

/*
 * Appends one message and sets its sequence. One thread at a time. OUTCOME_RETRY: no room
 * (max_bytes reached, or the disk is full): nothing was appended; try again after
 * journal_wait_room(); or somebody has deleted the journal's files, which ends with the process.
 * OUTCOME_REJECT: the message alone is larger than max_bytes. OUTCOME_FATAL:
 * the disk failed, now or in an earlier sync: nothing of this message may be acknowledged, the
 * process must end (it was logged and stop_request(1) called).
 */
enum outcome journal_append(struct journal *journal, struct message *message,
                            struct error *error) MUST_CHECK;

/* Makes everything appended so far durable, now. */
enum outcome journal_sync(struct journal *journal, struct error *error) MUST_CHECK;

/*
 * Room. The journal is "crowded" when less than its reserve is left (the larger of one segment and
 * an eighth of max_bytes): the receiving side then disconnects while what is already under way
 * still finds room. It is crowded until a quarter of max_bytes is free again (hysteresis).
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

/* Whether the machine had stopped without closing the journal when it was opened, under a policy by
 * which messages may be lost then; *last_us is when the newest message came that is left, 0 when
 * that is not known. */
bool journal_lost_power(const struct journal *journal, int64_t *last_us);

/* Where the newest `messages` messages begin that are on disk, or all of them: a number to read
 * from. Numbers that were skipped do not count. */
uint64_t journal_tail(struct journal *journal, uint64_t messages);

/* What is known of a QoS 1 or 2 message that has been deleted, or of a copy that was never
 * appended. */
struct journal_delivery {
    uint64_t sequence;
    uint64_t hash;         /* core/message.h */
    uint32_t subscription; /* identifier of the first one that the copy came for; 0 = unknown */
    uint16_t packet_id;
    uint8_t broker; /* struct message; 0 = unknown */
};

/*
 * What is known of deliveries with numbers below `before`, by number: of each packet id the
 * newest, of those that were among the newest keep_messages when they went, and nothing from before
 * a lost session (core/gap.h). *deliveries is the caller's to free; returns how many there are.
 */
size_t journal_deliveries(struct journal *journal, uint64_t before,
                          struct journal_delivery **deliveries);

/* The appender's: writes down a delivery that is no message of its own, with the number of the last
 * message before it, so that journal_deliveries() knows it: at once across the death of the
 * process, not across that of the machine. OUTCOME_RETRY when there is no room. */
enum outcome journal_note_delivery(struct journal *journal, const struct journal_delivery *delivery,
                                   struct error *error) MUST_CHECK;

/*
 * Tells that everything up to and including `sequence` is stored: the keeper may delete segments
 * behind it once `keep_ms` has passed, or earlier when room is needed. It is written down (not
 * synced: after a crash an older one is a safe one) so that journal_stored() knows it at the next
 * start before the database does. May go back (database restored).
 */
void journal_set_stored(struct journal *journal, uint64_t sequence);
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
    bool disk_full; /* crowded for want of room on the disk, not because of max_bytes */
    bool gone; /* somebody deleted its files; it stays crowded until the process is restarted */
    /* What was found damaged at any time lies in damaged/, for a person to look at and to delete:
     * nothing else ever does, and it counts as no part of max_bytes. */
    unsigned set_aside_files;
    int64_t set_aside_bytes;
};

void journal_info(struct journal *journal, struct journal_info *info);

#endif
