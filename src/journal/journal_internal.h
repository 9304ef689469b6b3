/*
 * journal_internal: the struct that the journal's own files share; no other file includes it. The
 * functions that they all call are in journal_state.h.
 *
 * Who owns what:
 *   appender   writes into the active segment, places the prepared one, nothing else; never waits
 *              for a disk but its own
 *   keeper     makes, seals and deletes files, syncs, writes the cursor; never holds the lock
 *              meanwhile
 *   readers    have file descriptors of their own; a file deleted under them stays readable
 *
 * Invariants. Those marked [L] hold whenever the lock is free. In test builds journal_check()
 * asserts those that can be checked without reading files.
 *  1 [L] `segments` is sorted by first_sequence; the last is the newest. Only the appender adds (at
 *        the end), only the keeper removes (at the front, never the newest). So indices that the
 *        keeper uses without the lock stay right, pointers do not.
 *  2 [L] Bytes of a segment before `end` are whole records and never written again; readers look at
 *        nothing behind it.
 *  3 [L] `synced` <= `end`. Only a finished fdatasync moves `synced`, and `segment->synced ==
 *        segment->end` for all plus !directory_dirty means that everything up to `last` is durable.
 *  4 [L] `bytes_total` is the sum of all segments' bytes and the prepared one's, and of the one
 *        that is being named or deleted, which stands in no list meanwhile.
 *  5 [L] `last` is the highest number given; the highest `skipped` numbers up to it were given to
 *        no message, and when skipped > 0 the next append opens a new segment, whose header tells
 *        it.
 *  6 [L] `active` (the appender's) is the newest segment, or none (fd -1). Behind active.offset
 *        there are only zeros, unless `active.torn`.
 *  7     The active segment's fd is closed only after the appender has left it (sealed), by the
 *        keeper or journal_close().
 *  8 [L] After `gone` nothing is appended any more, and `crowded` stays true.
 *  9 [L] After `failed` nothing is appended, synced or written down any more.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_JOURNAL_JOURNAL_INTERNAL_H
#define MQTT2PG_JOURNAL_JOURNAL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/log.h"
#include "journal/journal.h"
#include "journal/journal_cursor.h"
#include "journal/journal_deliveries.h"
#include "journal/journal_format.h"

#define JOURNAL_LOCK_NAME "lock"
#define JOURNAL_DAMAGED_NAME "damaged"
#define JOURNAL_SEGMENT_BYTES_MIN ((int64_t) 64 * 1024)

/*
 * How many numbers are skipped after a power loss: more than the number of messages that can have
 * been appended, read and stored without reaching the disk. Such messages would all have been in
 * dirty pages, and 2^32 of the smallest records are 200 GB.
 */
#define JOURNAL_SKIP_AFTER_POWER_LOSS ((uint64_t) 1 << 32)

struct journal_segment {
    uint64_t first_sequence;
    uint64_t skipped;  /* numbers directly before it that were never given */
    int64_t bytes;     /* on disk */
    int64_t end;       /* the end of the last record */
    int64_t synced;    /* durable up to here */
    int64_t stored_ms; /* monotonic: since when all of it is stored; or NOT_STORED */
    int fd;            /* for writing and syncing; -1: none is needed any more */
    bool sealed;       /* the appender has left it */
    bool touched;      /* its file's modification time is `stored_ms` */
};

#define NOT_STORED INT64_MIN

/* The state of the appender's request to the keeper. */
enum journal_request {
    REQUEST_NONE,
    REQUEST_WANTED,  /* a prepared segment of request_bytes or more; the appender waits */
    REQUEST_REFUSED, /* there was no room; the keeper goes on trying */
};

struct journal {
    /* Constant after journal_open(). */
    struct journal_options options;
    char *directory; /* owned; options.directory points here */
    int64_t segment_bytes;
    int64_t reserve_bytes; /* crowded when less is left … */
    int64_t relief_bytes;  /* … until this much is */
    int directory_fd;
    int lock_fd;
    uint8_t uuid[16];
    uint64_t boot;
    char uuid_text[JOURNAL_UUID_TEXT];
    bool lost_power;      /* in the last power loss messages may have been lost */
    int64_t lost_last_us; /* when the newest message that is left came */
    bool keeper_runs;     /* not while opening and closing, nor read only */

    /* Only the appender uses these members. */
    struct {
        int fd; /* -1: the next append opens a segment */
        int64_t offset;
        int64_t bytes;
        uint64_t seed;
        bool torn;               /* bytes of a failed write lie behind offset */
        int64_t name_checked_ms; /* monotonic: when the file was last seen to have a name */
    } active;
    struct buf record;

    /* Written under the lock, read by anyone. */
    _Atomic uint64_t last;
    _Atomic uint64_t stored;
    _Atomic uint64_t first;
    _Atomic uint64_t skipped; /* up to `last` */
    atomic_bool crowded;
    atomic_bool failed;
    atomic_bool gone; /* its files were deleted: no more messages are taken */

    pthread_mutex_t lock;       /* guards all members below, and those above that say so */
    pthread_cond_t appended;    /* for journal_wait() */
    pthread_cond_t room;        /* for the appender and journal_wait_room() */
    pthread_cond_t keeper_wake; /* for the keeper */
    pthread_cond_t synced;      /* for journal_sync() */

    struct journal_segment *segments;
    size_t segment_count;
    size_t segment_capacity;
    int64_t bytes_total;
    int64_t bytes_waiting; /* bytes of sealed segments that are not wholly stored */
    int64_t last_us;
    uint64_t deleted; /* messages up to here went with deleted segments */

    struct journal_place place; /* of the message behind the stored ones */

    uint64_t awaited; /* the sequence that journal_wait() waits for; 0 = none */

    int64_t prepared_bytes;
    int prepared_fd; /* -1 = none */
    enum journal_request request;
    int64_t request_bytes;

    uint64_t synced_last;    /* messages up to here are durable */
    int64_t sync_due_ms;     /* monotonic; 0 = nothing to sync */
    uint64_t sync_asked;     /* tickets of journal_sync() … */
    uint64_t sync_done;      /* … and how far they are done */
    int64_t retry_ms;        /* monotonic: when a full disk is tried again */
    int64_t delete_retry_ms; /* monotonic: when a file that could not be deleted is tried again */
    uint64_t damage_counted; /* messages before this number are in METRIC_JOURNAL_DAMAGED */

    bool wait_over;  /* journal_wake() was called */
    bool placing;    /* the appender has taken the prepared segment, but its name is not free yet */
    bool full;       /* the last append found no room … */
    bool write_full; /* … although it had a segment: the disk is full */
    bool disk_short; /* the last attempt to prepare a segment found no room on the disk */
    bool directory_dirty; /* names that are not synced */
    bool cursor_dirty;
    bool closing;

    pthread_t keeper;
    /* the keeper's; while no keeper runs, the thread's that opens or closes */
    struct journal_cursor cursor;
    struct deliveries_file deliveries; /* the same */

    /* guards what journal_info() found last; not to be taken while holding `lock` */
    pthread_mutex_t oldest_lock;
    uint64_t oldest_sequence;
    int64_t oldest_us;
};

/* --- journal_recovery.c --- */

/* Finds segments and cursor, repairs the tail (unless read only) and fills the journal's state.
 * Runs before the keeper is started. */
enum outcome journal_recover(struct journal *journal, struct error *error) MUST_CHECK;

/* --- journal_delete.c, for the keeper and with the lock --- */

/* How long to wait before a full disk, or a file that can't be deleted, is tried again. */
#define JOURNAL_RETRY_MS 250

#define JOURNAL_NEVER_DUE INT64_MAX

/* Deletes the oldest segment if all of it is stored; false when there is none to delete. Releases
 * the lock meanwhile. */
bool journal_delete_oldest(struct journal *journal);

/* Could the oldest segment be deleted now to make room? */
bool journal_deletable(const struct journal *journal);

/* When the oldest segment is to be deleted; JOURNAL_NEVER_DUE when none may be. */
int64_t journal_deletion_due_ms(const struct journal *journal);

/* --- journal_keeper.c --- */

void journal_keeper_start(struct journal *journal);

/* Stops the keeper. From then on the caller does its work. */
void journal_keeper_stop(struct journal *journal);

/* Makes everything written so far durable. Called without the lock, by the keeper or while no
 * keeper runs. */
enum outcome journal_sync_all(struct journal *journal, struct error *error) MUST_CHECK;

/* --- journal_reader.c --- */

/* A reader that neither copies nor counts damage. */
struct journal_reader *journal_reader_new_quiet(struct journal *journal);

#endif
