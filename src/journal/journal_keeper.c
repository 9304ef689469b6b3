/*
 * The keeper: the journal's own thread. It alone makes, seals and deletes files, so that only the
 * list of segments needs a lock. Its jobs, in the order of keeper_work():
 *
 *   serve     make the segment that the appender waits for
 *   sync      when the sync policy says so, or journal_sync() waits
 *   seal      cut a full segment behind its last record
 *   relent    let the appender try a full disk again
 *   cursor    write the position
 *   touch     note in the file's time since when a segment is stored
 *   delete    the oldest segment, when its time has come
 *   prepare   the next segment, ahead of time
 *
 * After each job that did something the keeper begins again with the first: the job for which the
 * appender waits is the most urgent. A job is called with the lock held, releases it while it works
 * on files, and returns true when it did something.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/thread.h"
#include "journal/journal_internal.h"
#include "journal/journal_state.h"
#include "journal/segment.h"

/* So much room stays free on the disk, for the acknowledgments of a batch; a batch whose
 * acknowledgments need more is halved. */
#define DISK_LEFT_BYTES_MIN ((int64_t) 256 * 1024)

static void lock(struct journal *journal)
{
    pthread_mutex_lock(&journal->lock);
}

static void unlock(struct journal *journal)
{
    pthread_mutex_unlock(&journal->lock);
}

/* --- sync --- */

/* Syncs one segment, by the descriptor that wrote it or, when that is closed already, by a new
 * one. */
static enum outcome sync_segment(struct journal *journal, int fd, uint64_t first_sequence,
                                 struct error *error)
{
    int own = -1;
    if (fd < 0) {
        if (segment_open(journal->directory_fd, first_sequence, true, &own, error) != OUTCOME_OK) {
            return OUTCOME_FATAL;
        }
        fd = own;
    }
    enum outcome outcome = journal_sync_file(fd, error);
    if (own >= 0) {
        close(own);
    }
    return outcome;
}

enum outcome journal_sync_all(struct journal *journal, struct error *error)
{
    enum outcome outcome = OUTCOME_OK;
    lock(journal);
    uint64_t last = journal->last;
    bool directory_dirty = journal->directory_dirty;
    size_t count = journal->segment_count;
    journal->directory_dirty = false;
    /* Oldest first, so that the durable part never has a hole. */
    for (size_t i = 0; i < count && outcome == OUTCOME_OK; i++) {
        struct journal_segment segment = journal->segments[i];
        if (segment.synced >= segment.end) {
            continue;
        }
        unlock(journal);
        outcome = sync_segment(journal, segment.fd, segment.first_sequence, error);
        lock(journal);
        assert(i < journal->segment_count && journal->segments[i].end >= segment.end);
        if (outcome == OUTCOME_OK && journal->segments[i].synced < segment.end) {
            journal->segments[i].synced = segment.end;
        }
    }
    unlock(journal);
    if (outcome == OUTCOME_OK && directory_dirty) {
        outcome = file_sync_directory(journal->directory_fd, error);
    }
    lock(journal);
    if (outcome == OUTCOME_OK && journal->synced_last < last) {
        journal->synced_last = last;
    }
    unlock(journal);
    return outcome;
}

static bool keeper_sync(struct journal *journal)
{
    struct error error;
    bool due = journal->sync_due_ms != 0 && clock_monotonic_ms() >= journal->sync_due_ms;
    uint64_t ticket = journal->sync_asked;
    assert(journal->sync_done <= ticket);
    if (!due && journal->sync_done == ticket) {
        return false;
    }
    journal->sync_due_ms = 0; /* an append from here on makes the next one due */
    unlock(journal);
    enum outcome outcome = journal_sync_all(journal, &error);
    if (outcome != OUTCOME_OK) {
        journal_fail(journal, &error);
    }
    lock(journal);
    if (outcome == OUTCOME_OK) {
        journal->sync_done = ticket;
        journal->cursor_dirty = true;
        pthread_cond_broadcast(&journal->synced);
    }
    return true;
}

/* --- segments that are full --- */

/* A segment that the appender has left and that is durable: gives back its unused end and its
 * descriptor. */
static bool keeper_seal(struct journal *journal)
{
    struct error error;
    size_t i = 0;
    while (i < journal->segment_count &&
           (!journal->segments[i].sealed || journal->segments[i].fd < 0 ||
            (journal->segments[i].synced < journal->segments[i].end &&
             journal->options.sync_ms != JOURNAL_SYNC_NEVER))) {
        i++;
    }
    if (i == journal->segment_count) {
        return false;
    }
    struct journal_segment segment = journal->segments[i];
    unlock(journal);
    enum outcome outcome = segment_seal(segment.fd, segment.end, &error);
    close(segment.fd);
    if (outcome != OUTCOME_OK) {
        journal_fail(journal, &error);
    }
    lock(journal);
    assert(journal->segments[i].first_sequence == segment.first_sequence); /* invariant 1 */
    journal->segments[i].fd = -1;
    if (outcome == OUTCOME_OK) {
        journal->bytes_total -= segment.bytes - segment.end;
        journal->segments[i].bytes = segment.end;
        journal_account(journal);
    }
    return true;
}

/* Sets a file's modification time to the time when its messages were stored, for journal.keep after
 * a restart. */
static bool keeper_touch(struct journal *journal)
{
    size_t i = 0;
    while (i < journal->segment_count &&
           (journal->segments[i].stored_ms == NOT_STORED || journal->segments[i].touched ||
            journal->segments[i].fd >= 0)) {
        i++;
    }
    if (i == journal->segment_count) {
        return false;
    }
    char name[SEGMENT_NAME_BYTES];
    segment_name(name, journal->segments[i].first_sequence);
    journal->segments[i].touched = true;
    unlock(journal);
    if (utimensat(journal->directory_fd, name, NULL, 0) != 0) {
        log_debug("could not set a segment's time", F_TEXT("segment", name),
                  F_TEXT("reason", strerror(errno)));
    }
    lock(journal);
    return true;
}

/* --- the position --- */

static bool keeper_write_cursor(struct journal *journal)
{
    struct error error;
    if (!journal->cursor_dirty) {
        return false;
    }
    journal->cursor_dirty = false;
    struct cursor_state state = journal_cursor_state(journal, false);
    unlock(journal);
    enum outcome outcome = cursor_write(&journal->cursor, &state, &error);
    if (outcome == OUTCOME_FATAL) {
        journal_fail(journal, &error);
    }
    lock(journal);
    return true;
}

/* --- segments that come and go --- */

static bool keeper_delete(struct journal *journal)
{
    return clock_monotonic_ms() >= journal_deletion_due_ms(journal) &&
           journal_delete_oldest(journal);
}

/* With the lock. A prepared segment that is too small makes room for a larger one. */
static void discard_prepared(struct journal *journal)
{
    int fd = journal->prepared_fd;
    if (fd < 0) {
        return;
    }
    journal->prepared_fd = -1;
    assert(journal->bytes_total >= journal->prepared_bytes);
    journal->bytes_total -= journal->prepared_bytes;
    unlock(journal);
    close(fd);
    unlinkat(journal->directory_fd, SEGMENT_PREPARED_NAME, 0);
    lock(journal);
}

/* With the lock. How many bytes count against max_bytes when a new segment is made. When all of the
 * newest segment is stored and the appender waits to leave it, it does not count, because it is
 * deleted next. Otherwise one huge message could block the next one for ever. */
static int64_t bytes_in_the_way(const struct journal *journal)
{
    int64_t bytes = journal->bytes_total;
    if (journal->request != REQUEST_NONE && journal->segment_count > 0 &&
        journal->last <= journal->stored) {
        bytes -= journal->segments[journal->segment_count - 1].bytes;
    }
    return bytes;
}

/* Would a segment of this size take the last room on the disk? A full journal empties only when
 * batches are stored, and a batch may have to write its acknowledgments to the same disk. */
static bool takes_the_last(const struct journal *journal, int64_t bytes)
{
    int64_t left_bytes = journal_larger(DISK_LEFT_BYTES_MIN, journal->options.keep_free_bytes);
    return file_room(journal->directory_fd) - bytes < left_bytes;
}

/* With the lock. Prepares a segment of `bytes`, deleting old ones for it; false when there is no
 * room. */
static bool make_prepared(struct journal *journal, int64_t bytes)
{
    struct error error;
    enum outcome outcome;
    int fd = -1;
    discard_prepared(journal);
    assert(journal->prepared_fd < 0 && bytes >= JOURNAL_SEGMENT_BYTES_MIN);
    do {
        while (bytes_in_the_way(journal) + bytes > journal->options.max_bytes) {
            if (!journal_delete_oldest(journal)) {
                journal->disk_short = false;
                journal_account(journal);
                return false;
            }
        }
        unlock(journal);
        outcome = journal_is_gone(journal, -1) || takes_the_last(journal, bytes)
                      ? OUTCOME_RETRY
                      : segment_prepare(journal->directory_fd, bytes, &fd, &error);
        if (outcome == OUTCOME_FATAL) {
            journal_fail(journal, &error);
        }
        lock(journal);
    } while (outcome == OUTCOME_RETRY && journal_delete_oldest(journal));

    if (outcome == OUTCOME_OK) {
        journal->prepared_fd = fd;
        journal->prepared_bytes = bytes;
        journal->bytes_total += bytes;
    } else {
        journal->retry_ms = clock_monotonic_ms() + JOURNAL_RETRY_MS;
    }
    journal->disk_short = outcome == OUTCOME_RETRY;
    journal_account(journal);
    return outcome == OUTCOME_OK;
}

/* With the lock. Makes a segment of at least `bytes`: one of the usual size or, when the disk has
 * no room for that, the smallest. Otherwise a journal on a disk with less room than a usual segment
 * would never take a message again, although all its messages are stored. */
static bool make_what_fits(struct journal *journal, int64_t bytes)
{
    int64_t wanted = journal_larger(journal->segment_bytes, bytes);
    int64_t least = journal_larger(JOURNAL_SEGMENT_BYTES_MIN, bytes);
    return make_prepared(journal, wanted) || (journal->disk_short && !journal->failed &&
                                              least < wanted && make_prepared(journal, least));
}

/* With the lock. Could an attempt to make a segment succeed now? */
static bool worth_trying(const struct journal *journal, int64_t bytes)
{
    int64_t freed = journal->prepared_fd >= 0 ? journal->prepared_bytes : 0;
    bool fits = bytes_in_the_way(journal) - freed + bytes <= journal->options.max_bytes;
    return journal_deletable(journal) || (fits && !journal->disk_short) ||
           clock_monotonic_ms() >= journal->retry_ms;
}

static bool keeper_serve(struct journal *journal)
{
    bool waits = journal->request == REQUEST_WANTED;
    int64_t wanted = journal_larger(journal->segment_bytes, journal->request_bytes);
    if (!waits && !(journal->request == REQUEST_REFUSED && worth_trying(journal, wanted))) {
        return false;
    }
    bool made = make_what_fits(journal, journal->request_bytes);
    if (!made) {
        journal->retry_ms = clock_monotonic_ms() + JOURNAL_RETRY_MS;
    }
    journal->request = made ? REQUEST_NONE : REQUEST_REFUSED;
    journal_account(journal);
    pthread_cond_broadcast(&journal->room);
    return true;
}

/* With the lock. Is the newest segment half full, or is there none that could take an append? */
static bool next_is_needed(const struct journal *journal)
{
    if (journal->prepared_fd >= 0 || journal->placing || journal->request != REQUEST_NONE) {
        return false;
    }
    if (journal->segment_count == 0) {
        return true;
    }
    const struct journal_segment *newest = &journal->segments[journal->segment_count - 1];
    return newest->sealed || newest->end >= newest->bytes / 2;
}

/* Makes the next segment ahead of time, so that an append seldom waits for a file to be made. */
static bool keeper_prepare(struct journal *journal)
{
    if (!next_is_needed(journal) || clock_monotonic_ms() < journal->retry_ms) {
        return false;
    }
    if (journal->bytes_total + journal->segment_bytes > journal->options.max_bytes &&
        !journal_deletable(journal)) {
        return false;
    }
    (void) make_what_fits(journal, 0);
    return true;
}

/* After a while, lets the appender try a disk that refused a write: only a write can tell whether
 * there is room again. */
static bool keeper_relent(struct journal *journal)
{
    if (!journal->write_full || clock_monotonic_ms() < journal->retry_ms) {
        return false;
    }
    journal->write_full = false;
    journal_account(journal);
    pthread_cond_broadcast(&journal->room);
    return true;
}

/* --- the thread --- */

static int64_t earlier(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

/* With the lock. Milliseconds until a job is due; -1 = sleep until woken. */
static int64_t sleep_ms(const struct journal *journal)
{
    int64_t due_ms = journal_deletion_due_ms(journal);
    if (journal->sync_due_ms != 0) {
        due_ms = earlier(due_ms, journal->sync_due_ms);
    }
    if (journal->request == REQUEST_REFUSED || journal->write_full ||
        (journal->disk_short && next_is_needed(journal))) {
        due_ms = earlier(due_ms, journal->retry_ms);
    }
    if (due_ms == JOURNAL_NEVER_DUE) {
        return -1;
    }
    int64_t left_ms = due_ms - clock_monotonic_ms();
    return left_ms > 0 ? left_ms : 0;
}

static bool keeper_work(struct journal *journal)
{
    return keeper_serve(journal) || keeper_sync(journal) || keeper_seal(journal) ||
           keeper_relent(journal) || keeper_write_cursor(journal) || keeper_touch(journal) ||
           keeper_delete(journal) || keeper_prepare(journal);
}

static void *keeper_main(void *context)
{
    struct journal *journal = context;
    lock(journal);
    while (!journal->closing) {
        if (journal->failed) {
            thread_cond_wait(&journal->keeper_wake, &journal->lock, -1);
        } else if (!keeper_work(journal)) {
            thread_cond_wait(&journal->keeper_wake, &journal->lock, sleep_ms(journal));
        }
    }
    unlock(journal);
    return NULL;
}

void journal_keeper_start(struct journal *journal)
{
    assert(!journal->keeper_runs && !journal->options.read_only);
    journal->keeper = thread_spawn("journal-keeper", keeper_main, journal);
    journal->keeper_runs = true;
}

void journal_keeper_stop(struct journal *journal)
{
    assert(journal->keeper_runs);
    lock(journal);
    journal->closing = true;
    pthread_cond_signal(&journal->keeper_wake);
    unlock(journal);
    pthread_join(journal->keeper, NULL);
    journal->keeper_runs = false;
}
