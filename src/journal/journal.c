/* SPDX-License-Identifier: MIT */
#include "journal/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "base/thread.h"
#include "journal/journal_internal.h"
#include "journal/journal_reader.h"
#include "journal/segment.h"

#define SEGMENT_BYTES_MAX ((int64_t) 64 * 1024 * 1024)
#define SEGMENTS_WANTED 16

/* --- shared with the other files: journal_internal.h --- */

void journal_fail(struct journal *journal, const struct error *error)
{
    if (atomic_exchange(&journal->failed, true)) {
        return;
    }
    log_error("journal failed, stopping", F_TEXT("directory", journal->directory),
              F_TEXT("reason", error->text));
    stop_request(1);
    pthread_mutex_lock(&journal->lock);
    pthread_cond_broadcast(&journal->room);
    pthread_cond_broadcast(&journal->synced);
    pthread_cond_broadcast(&journal->appended);
    pthread_cond_broadcast(&journal->keeper_wake);
    pthread_mutex_unlock(&journal->lock);
}

bool journal_is_gone(struct journal *journal, int fd)
{
    if (journal->gone || (file_has_name(journal->directory_fd) && (fd < 0 || file_has_name(fd)))) {
        return journal->gone;
    }
    log_error("the journal's files were deleted while they are in use: it takes no more messages, "
              "the broker keeps them; restart to begin a new journal",
              F_TEXT("directory", journal->directory));
    pthread_mutex_lock(&journal->lock);
    journal->gone = true;
    journal_account_room(journal);
    pthread_cond_broadcast(&journal->room);
    pthread_mutex_unlock(&journal->lock);
    return true;
}

uint64_t journal_segment_last(const struct journal *journal, size_t index)
{
    if (index + 1 < journal->segment_count) {
        const struct journal_segment *next = &journal->segments[index + 1];
        return next->first_sequence - 1 - next->skipped;
    }
    return journal->last - journal->skipped;
}

void journal_account_room(struct journal *journal)
{
    bool stuck = journal->disk_short || journal->write_full || journal->gone ||
                 journal->request == REQUEST_REFUSED;
    int64_t used = journal->bytes_waiting;
    if (journal->segment_count > 0 && journal->last > journal->stored) {
        used += journal->segments[journal->segment_count - 1].end;
    }
    int64_t left = journal->options.max_bytes - used;
    bool crowded = journal->crowded;
    if (!crowded && (stuck || left < journal->reserve_bytes)) {
        journal->crowded = true;
    } else if (crowded && !stuck && left >= journal->relief_bytes) {
        journal->crowded = false;
    }
}

/* The invariants of journal_internal.h that can be looked at without reading files. */
__attribute__((unused)) static void journal_check(const struct journal *journal)
{
    int64_t bytes = journal->prepared_fd >= 0 ? journal->prepared_bytes : 0;
    assert(journal->skipped <= journal->last);
    assert(journal->deleted <= journal->last);
    assert(!journal->gone || journal->crowded);
    for (size_t i = 0; i < journal->segment_count; i++) {
        const struct journal_segment *segment = &journal->segments[i];
        bool newest = i + 1 == journal->segment_count;
        assert(i == 0 || segment->first_sequence > segment[-1].first_sequence);
        assert(segment->skipped < segment->first_sequence);
        assert(segment->synced <= segment->end);
        assert(segment->end >= JOURNAL_SEGMENT_HEADER_BYTES);
        assert(newest || segment->sealed);
        assert(newest || journal_segment_last(journal, i) >= segment->first_sequence - 1);
        bytes += segment->bytes;
    }
    assert(bytes <= journal->bytes_total || !journal->keeper_runs);
    assert(journal->active.fd < 0 || journal->segment_count > 0);
}

void journal_account(struct journal *journal)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t waiting = 0;
    for (size_t i = 0; i + 1 < journal->segment_count; i++) {
        struct journal_segment *segment = &journal->segments[i];
        if (journal_segment_last(journal, i) > journal->stored) {
            segment->stored_ms = NOT_STORED;
            waiting += segment->bytes;
        } else if (segment->stored_ms == NOT_STORED) {
            segment->stored_ms = now_ms;
            segment->touched = false;
        }
    }
    journal->bytes_waiting = waiting;
    bool any = journal->segment_count > 0 && journal->segments[0].first_sequence <= journal->last;
    journal->first = any ? journal->segments[0].first_sequence : journal->last + 1;
    journal_account_room(journal);
#ifdef FAULT_POINTS
    journal_check(journal);
#endif
}

struct cursor_state journal_cursor_state(const struct journal *journal, bool clean)
{
    struct cursor_state state = {
        .stored = journal->stored,
        .last = journal->last,
        .skipped = journal->skipped,
        .synced = journal->synced_last,
        .deleted = journal->deleted,
        .boot = journal->boot,
        .clean = clean,
    };
    memcpy(state.uuid, journal->uuid, sizeof(state.uuid));
    return state;
}

enum outcome journal_sync_file(int fd, struct error *error)
{
    if (FAULT("journal.sync.before")) {
        return error_errno(error, OUTCOME_FATAL, "could not sync");
    }
    enum outcome outcome = file_sync(fd, error);
    (void) FAULT("journal.sync.after");
    return outcome;
}

struct journal_segment *journal_add_segment(struct journal *journal,
                                            const struct segment_header *header)
{
    journal->segments = memory_grow(journal->segments, journal->segment_count,
                                    &journal->segment_capacity, sizeof(*journal->segments));
    struct journal_segment *segment = &journal->segments[journal->segment_count++];
    *segment = (struct journal_segment){
        .first_sequence = header->first_sequence,
        .skipped = header->skipped,
        .end = JOURNAL_SEGMENT_HEADER_BYTES,
        .stored_ms = NOT_STORED,
        .fd = -1,
    };
    return segment;
}

struct segment_header journal_header(const struct journal *journal, uint64_t first_sequence)
{
    struct segment_header header = {
        .version = JOURNAL_FORMAT_VERSION,
        .first_sequence = first_sequence,
        .created_at_us = clock_wall_us(),
    };
    memcpy(header.uuid, journal->uuid, sizeof(header.uuid));
    return header;
}

/* --- open and close --- */

static enum outcome check_options(const struct journal_options *options, struct error *error)
{
    if (options->max_bytes < JOURNAL_BYTES_MIN) {
        return error_set(error, OUTCOME_FATAL,
                         "a journal of %" PRId64 " bytes is too small, the least is %" PRId64,
                         options->max_bytes, JOURNAL_BYTES_MIN);
    }
    return OUTCOME_OK;
}

static struct journal *journal_new(const struct journal_options *options)
{
    struct journal *journal = memory_alloc(sizeof(*journal));
    journal->options = *options;
    journal->directory = memory_strdup(options->directory);
    journal->options.directory = journal->directory;
    journal->segment_bytes =
        journal_larger(options->max_bytes / SEGMENTS_WANTED, JOURNAL_SEGMENT_BYTES_MIN);
    if (journal->segment_bytes > SEGMENT_BYTES_MAX) {
        journal->segment_bytes = SEGMENT_BYTES_MAX;
    }
    journal->segment_bytes &= ~(int64_t) 4095;
    journal->reserve_bytes = journal_larger(journal->segment_bytes, options->max_bytes / 8);
    journal->relief_bytes = options->max_bytes / 4;
    journal->directory_fd = -1;
    journal->lock_fd = -1;
    journal->active.fd = -1;
    journal->prepared_fd = -1;
    journal->cursor.fd = -1;
    deliveries_init(&journal->deliveries);
    pthread_mutex_init(&journal->lock, NULL);
    pthread_mutex_init(&journal->oldest_lock, NULL);
    thread_cond_init(&journal->appended);
    thread_cond_init(&journal->room);
    thread_cond_init(&journal->keeper_wake);
    thread_cond_init(&journal->synced);
    return journal;
}

/* In a new installation mostly a directory of root's, and a service that is somebody else. */
static enum outcome advise_on_permission(const struct journal *journal, struct error *error)
{
    if (error != NULL && (errno == EACCES || errno == EPERM || errno == EROFS)) {
        const char *advice = journal->options.read_only
                                 ? "run this as the user of the service"
                                 : "give it to the user that this runs as, or set another "
                                   "journal.directory";
        size_t used = strlen(error->text);
        snprintf(error->text + used, sizeof(error->text) - used, "; %s", advice);
    }
    return OUTCOME_FATAL;
}

/* Only one process may write. */
static enum outcome take_lock(struct journal *journal, struct error *error)
{
    char text[32] = "";
    journal->lock_fd =
        file_open_regular(journal->directory_fd, JOURNAL_LOCK_NAME, O_RDWR | O_CREAT);
    if (journal->lock_fd < 0) {
        error_errno(error, OUTCOME_FATAL, "could not open \"%s/%s\"", journal->directory,
                    JOURNAL_LOCK_NAME);
        return advise_on_permission(journal, error);
    }
    if (flock(journal->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            return error_errno(error, OUTCOME_FATAL, "could not lock \"%s/%s\"", journal->directory,
                               JOURNAL_LOCK_NAME);
        }
        ssize_t got = pread(journal->lock_fd, text, sizeof(text) - 1, 0);
        text[strspn(text, "0123456789")] = '\0';
        return error_set(error, OUTCOME_FATAL,
                         "journal \"%s\" is in use by process %s; stop it or give this one "
                         "another directory",
                         journal->directory, got > 0 ? text : "?");
    }
    int length = snprintf(text, sizeof(text), "%ld\n", (long) getpid());
    if (ftruncate(journal->lock_fd, 0) != 0 ||
        pwrite(journal->lock_fd, text, (size_t) length, 0) != length) {
        log_debug("could not write the process id into the journal's lock");
    }
    return OUTCOME_OK;
}

static enum outcome open_directory(struct journal *journal, struct error *error)
{
    bool read_only = journal->options.read_only;
    if (!read_only && file_make_directory(journal->directory, error) != OUTCOME_OK) {
        return advise_on_permission(journal, error);
    }
    journal->directory_fd = open(journal->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (journal->directory_fd < 0) {
        error_errno(error, OUTCOME_FATAL, "could not open journal \"%s\"", journal->directory);
        return advise_on_permission(journal, error);
    }
    return read_only ? OUTCOME_OK : take_lock(journal, error);
}

enum outcome journal_open(struct journal **journal, const struct journal_options *options,
                          struct error *error)
{
    struct journal *opened = NULL;
    enum outcome outcome = check_options(options, error);
    *journal = NULL;
    if (outcome == OUTCOME_OK) {
        opened = journal_new(options);
        outcome = open_directory(opened, error);
    }
    if (outcome == OUTCOME_OK) {
        outcome = journal_recover(opened, error);
    }
    if (outcome != OUTCOME_OK) {
        journal_close(opened);
        return OUTCOME_FATAL;
    }
    if (!options->read_only) {
        journal_keeper_start(opened);
    }
    *journal = opened;
    return OUTCOME_OK;
}

/* Everything durable, and the position with the mark that says so. */
static void close_cleanly(struct journal *journal)
{
    struct error error;
    enum outcome outcome = journal_sync_all(journal, &error);
    if (outcome == OUTCOME_OK) {
        struct cursor_state state = journal_cursor_state(journal, true);
        outcome = cursor_write_synced(&journal->cursor, &state, &error);
    }
    if (outcome == OUTCOME_FATAL) {
        journal_fail(journal, &error);
    }
}

void journal_close(struct journal *journal)
{
    if (journal == NULL) {
        return;
    }
    if (journal->keeper_runs) {
        journal_keeper_stop(journal);
        if (!journal->failed) {
            close_cleanly(journal);
        }
    }
    if (journal->prepared_fd >= 0) {
        close(journal->prepared_fd);
        unlinkat(journal->directory_fd, SEGMENT_PREPARED_NAME, 0);
    }
    for (size_t i = 0; i < journal->segment_count; i++) {
        if (journal->segments[i].fd >= 0) {
            close(journal->segments[i].fd);
        }
    }
    journal_reader_free(journal->oldest);
    cursor_close(&journal->cursor);
    deliveries_fini(&journal->deliveries);
    if (journal->lock_fd >= 0) {
        close(journal->lock_fd);
    }
    if (journal->directory_fd >= 0) {
        close(journal->directory_fd);
    }
    pthread_cond_destroy(&journal->appended);
    pthread_cond_destroy(&journal->room);
    pthread_cond_destroy(&journal->keeper_wake);
    pthread_cond_destroy(&journal->synced);
    pthread_mutex_destroy(&journal->oldest_lock);
    pthread_mutex_destroy(&journal->lock);
    buf_fini(&journal->record);
    free(journal->segments);
    free(journal->directory);
    free(journal);
}

/* --- room and waiting --- */

bool journal_crowded(const struct journal *journal)
{
    return journal->crowded;
}

/* With the lock. */
static bool has_room(const struct journal *journal)
{
    return journal->request != REQUEST_REFUSED && !journal->write_full && !journal->gone;
}

bool journal_wait_room(struct journal *journal, int64_t milliseconds)
{
    int64_t end_ms = clock_monotonic_ms() + milliseconds;
    int64_t left_ms = milliseconds;
    pthread_mutex_lock(&journal->lock);
    while (!has_room(journal) && left_ms > 0 && !journal->failed) {
        thread_cond_wait(&journal->room, &journal->lock, left_ms);
        left_ms = end_ms - clock_monotonic_ms();
    }
    bool room = has_room(journal) && !journal->failed;
    pthread_mutex_unlock(&journal->lock);
    return room;
}

bool journal_wait(struct journal *journal, uint64_t sequence, int64_t milliseconds)
{
    int64_t end_ms = clock_monotonic_ms() + milliseconds;
    int64_t left_ms = milliseconds;
    pthread_mutex_lock(&journal->lock);
    journal->awaited = sequence;
    while (journal->last < sequence && !journal->wait_over && left_ms > 0) {
        thread_cond_wait(&journal->appended, &journal->lock, left_ms);
        left_ms = end_ms - clock_monotonic_ms();
    }
    journal->awaited = 0;
    journal->wait_over = false;
    bool there = journal->last >= sequence;
    pthread_mutex_unlock(&journal->lock);
    return there;
}

void journal_wake(struct journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    journal->wait_over = true;
    pthread_cond_signal(&journal->appended);
    pthread_mutex_unlock(&journal->lock);
}
