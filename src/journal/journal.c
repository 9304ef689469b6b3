/*
 * Opening, closing, appending and what others may ask. The way of an append:
 *
 *   room in the active segment? ──no──▶ take the prepared one (ask the keeper and wait, when it has none)
 *            │ yes                        └ none to be had: OUTCOME_RETRY
 *   encode ▶ pwrite ▶ (sync) ▶ publish: under the lock `end` and `last` move, a waiting loader is woken
 *
 * SPDX-License-Identifier: MIT
 */
#include "journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
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

#define SEGMENT_BYTES_MIN ((int64_t) 64 * 1024)
#define SEGMENT_BYTES_MAX ((int64_t) 64 * 1024 * 1024)
#define SEGMENTS_WANTED 16

/* A buffer that a huge record has left behind is given back above this. */
#define RECORD_BUFFER_BYTES ((size_t) 4 * 1024 * 1024)

/* How long a full disk is left alone. */
#define DISK_RETRY_MS 250

static int64_t larger(int64_t left, int64_t right)
{
    return left > right ? left : right;
}

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

uint64_t journal_segment_last(const struct journal *journal, size_t index)
{
    if (index + 1 < journal->segment_count) {
        const struct journal_segment *next = &journal->segments[index + 1];
        return next->first_sequence - 1 - next->skipped;
    }
    return journal->last - journal->skipped;
}

/* With the lock. Whether there is room, with a hysteresis between reserve and relief. */
static void account_room(struct journal *journal)
{
    bool stuck = journal->disk_short || journal->write_full || journal->request == REQUEST_REFUSED;
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
    account_room(journal);
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
        .first_sequence = first_sequence,
        .created_at_us = clock_wall_us(),
    };
    memcpy(header.uuid, journal->uuid, sizeof(header.uuid));
    return header;
}

static enum outcome copy_bytes(int from_fd, int to_fd, int64_t from, int64_t to,
                               struct error *error)
{
    enum outcome outcome = OUTCOME_OK;
    size_t chunk = 64 * 1024;
    char *bytes = memory_alloc(chunk);
    for (int64_t at = from; at < to && outcome == OUTCOME_OK;) {
        size_t wanted = to - at < (int64_t) chunk ? (size_t) (to - at) : chunk;
        ssize_t got = file_read(from_fd, bytes, wanted, at, error);
        if (got <= 0) {
            outcome = got < 0 ? OUTCOME_FATAL : OUTCOME_OK;
            break;
        }
        outcome = file_write(to_fd, bytes, (size_t) got, at - from, error);
        at += got;
    }
    free(bytes);
    return outcome == OUTCOME_OK ? file_sync(to_fd, error) : outcome;
}

void journal_keep_damage(const struct journal *journal, const struct journal_damage *damage)
{
    struct error error = {0};
    char segment[SEGMENT_NAME_BYTES];
    segment_name(segment, damage->segment);
    char *name = memory_printf("%s/%s-%" PRId64 "-%" PRId64, JOURNAL_DAMAGED_NAME, segment,
                               damage->from, damage->to);
    int copy = -1;
    if (mkdirat(journal->directory_fd, JOURNAL_DAMAGED_NAME, 0700) == 0 || errno == EEXIST) {
        copy = openat(journal->directory_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    }
    if (copy < 0 && errno == EEXIST) {
        goto done; /* reported before */
    }
    if (copy < 0) {
        error_errno(&error, OUTCOME_RETRY, "could not create it");
    } else if (copy_bytes(damage->fd, copy, damage->from, damage->to, &error) != OUTCOME_OK) {
        unlinkat(journal->directory_fd, name, 0);
    }
    LOG_LINE(damage->level, damage->event, F_TEXT("segment", segment),
             F_INT("offset", damage->from), F_INT("bytes", damage->to - damage->from),
             F_TEXT("copy", name), F_TEXT("copy_error", error.text), LOG_FIELDS_END);
done:
    if (copy >= 0) {
        close(copy);
    }
    free(name);
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
    journal->segment_bytes = larger(options->max_bytes / SEGMENTS_WANTED, SEGMENT_BYTES_MIN);
    if (journal->segment_bytes > SEGMENT_BYTES_MAX) {
        journal->segment_bytes = SEGMENT_BYTES_MAX;
    }
    journal->segment_bytes &= ~(int64_t) 4095;
    journal->reserve_bytes = larger(journal->segment_bytes, options->max_bytes / 8);
    journal->relief_bytes = options->max_bytes / 4;
    journal->directory_fd = -1;
    journal->lock_fd = -1;
    journal->active.fd = -1;
    journal->prepared_fd = -1;
    journal->cursor.fd = -1;
    pthread_mutex_init(&journal->lock, NULL);
    pthread_mutex_init(&journal->oldest_lock, NULL);
    thread_cond_init(&journal->appended);
    thread_cond_init(&journal->room);
    thread_cond_init(&journal->keeper_wake);
    thread_cond_init(&journal->synced);
    return journal;
}

/* Only one process may write. */
static enum outcome take_lock(struct journal *journal, struct error *error)
{
    char text[32] = "";
    journal->lock_fd =
        openat(journal->directory_fd, JOURNAL_LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (journal->lock_fd < 0) {
        return error_errno(error, OUTCOME_FATAL, "could not open \"%s/%s\"", journal->directory,
                           JOURNAL_LOCK_NAME);
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
        return OUTCOME_FATAL;
    }
    journal->directory_fd = open(journal->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (journal->directory_fd < 0) {
        return error_errno(error, OUTCOME_FATAL, "could not open journal \"%s\"",
                           journal->directory);
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
        outcome = cursor_write(&journal->cursor, &state, &error);
    }
    if (outcome == OUTCOME_OK) {
        outcome = cursor_sync(&journal->cursor, &error);
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
    journal_reader_free(journal->oldest_reader);
    if (journal->prepared_fd >= 0) {
        close(journal->prepared_fd);
        unlinkat(journal->directory_fd, SEGMENT_PREPARED_NAME, 0);
    }
    for (size_t i = 0; i < journal->segment_count; i++) {
        if (journal->segments[i].fd >= 0) {
            close(journal->segments[i].fd);
        }
    }
    cursor_close(&journal->cursor);
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

/* --- append --- */

static enum outcome refuse_failed(struct error *error)
{
    return error_set(error, OUTCOME_FATAL, "the journal failed before");
}

/* With the lock. Asks the keeper for a prepared segment of at least `bytes` and waits for its answer. */
static enum outcome ask_for_segment(struct journal *journal, int64_t bytes, struct error *error)
{
    if (journal->prepared_fd < 0 || journal->prepared_bytes < bytes) {
        journal->request = REQUEST_WANTED;
        journal->request_bytes = bytes;
        pthread_cond_signal(&journal->keeper_wake);
        while (journal->request == REQUEST_WANTED && !journal->failed) {
            thread_cond_wait(&journal->room, &journal->lock, -1);
        }
    }
    if (journal->failed) {
        return refuse_failed(error);
    }
    if (journal->prepared_fd < 0 || journal->prepared_bytes < bytes) {
        journal->full = true;
        return error_set(error, OUTCOME_RETRY,
                         "journal \"%s\" is full (%" PRId64 " of %" PRId64 " bytes%s)",
                         journal->directory, journal->bytes_total, journal->options.max_bytes,
                         journal->disk_short ? ", no room on the disk" : "");
    }
    journal->request = REQUEST_NONE;
    return OUTCOME_OK;
}

/* With the lock. The prepared segment has become the newest. */
static void enter_segment(struct journal *journal, int fd, int64_t bytes,
                          const struct segment_header *header)
{
    if (journal->segment_count > 0) {
        journal->segments[journal->segment_count - 1].sealed = true;
    }
    struct journal_segment *segment = journal_add_segment(journal, header);
    segment->bytes = bytes;
    segment->fd = fd;
    journal->skipped -= header->skipped;
    journal->active.fd = fd;
    journal->active.offset = segment->end;
    journal->active.bytes = bytes;
    journal->active.seed = record_seed(header);
    journal->active.torn = false;
    journal_account(journal);
}

/* Opens the next segment, with room for a record of `size` bytes. */
static enum outcome open_next_segment(struct journal *journal, int64_t size, struct error *error)
{
    bool always = journal->options.sync_ms == JOURNAL_SYNC_ALWAYS;
    pthread_mutex_lock(&journal->lock);
    enum outcome outcome = ask_for_segment(
        journal, larger(journal->segment_bytes, JOURNAL_SEGMENT_HEADER_BYTES + size), error);
    if (outcome != OUTCOME_OK) {
        pthread_mutex_unlock(&journal->lock);
        return outcome;
    }
    int fd = journal->prepared_fd;
    int64_t bytes = journal->prepared_bytes;
    struct segment_header header = journal_header(journal, journal->last + 1);
    header.skipped = journal->skipped;
    journal->prepared_fd = -1;
    journal->placing = true;
    pthread_mutex_unlock(&journal->lock);

    outcome = segment_place(journal->directory_fd, fd, &header, error);
    bool placed = outcome == OUTCOME_OK;
    if (placed && always) {
        outcome = file_sync_directory(journal->directory_fd, error);
    }

    pthread_mutex_lock(&journal->lock);
    journal->placing = false;
    if (placed) {
        enter_segment(journal, fd, bytes, &header);
        journal->directory_dirty |= !always;
    } else {
        journal->prepared_fd = fd;
    }
    journal->cursor_dirty = true;
    pthread_cond_signal(&journal->keeper_wake); /* to sync and seal the old one */
    pthread_mutex_unlock(&journal->lock);
    return outcome;
}

/* After a write that did not succeed: zeros behind the last record again, so that half a record never comes back to life. */
static enum outcome clear_torn(struct journal *journal, struct error *error)
{
    if (!journal->active.torn) {
        return OUTCOME_OK;
    }
    enum outcome outcome =
        segment_clear(journal->active.fd, journal->active.offset, journal->active.bytes, error);
    journal->active.torn = outcome != OUTCOME_OK;
    return outcome;
}

static enum outcome write_record(struct journal *journal, struct error *error)
{
    struct buf *record = &journal->record;
    enum outcome outcome;
    if (FAULT("journal.append.before_write")) {
        outcome = error_errno(error, OUTCOME_RETRY, "could not write %zu bytes", record->length);
    } else {
        outcome = file_write(journal->active.fd, record->data, record->length,
                             journal->active.offset, error);
    }
    (void) FAULT("journal.append.after_write");
    if (outcome == OUTCOME_RETRY) {
        journal->active.torn = true;
        outcome = clear_torn(journal, NULL) == OUTCOME_OK ? OUTCOME_RETRY : OUTCOME_FATAL;
        pthread_mutex_lock(&journal->lock);
        journal->full = journal->write_full = true;
        journal->retry_ms = clock_monotonic_ms() + DISK_RETRY_MS;
        account_room(journal);
        pthread_cond_signal(&journal->keeper_wake);
        pthread_mutex_unlock(&journal->lock);
    }
    if (outcome == OUTCOME_OK && journal->options.sync_ms == JOURNAL_SYNC_ALWAYS) {
        outcome = journal_sync_file(journal->active.fd, error);
    }
    return outcome;
}

/* With the lock. What an append means for the sync policy; true when the keeper must be woken. */
static bool account_sync(struct journal *journal, struct journal_segment *segment)
{
    if (journal->options.sync_ms == JOURNAL_SYNC_ALWAYS) {
        segment->synced = segment->end;
        journal->synced_last = journal->last;
    } else if (journal->options.sync_ms > 0 && journal->sync_due_ms == 0) {
        /* Half of the promised time to wait for more, half for the sync itself. */
        journal->sync_due_ms = clock_monotonic_ms() + larger(1, journal->options.sync_ms / 2);
        return true;
    }
    return false;
}

/* The record is written: now it exists for others. False when its number has been skipped meanwhile. */
static bool publish(struct journal *journal, const struct message *message)
{
    int64_t size = (int64_t) journal->record.length;
    bool wake_loader = false;
    bool wake_keeper = false;

    pthread_mutex_lock(&journal->lock);
    bool current = message->sequence == journal->last + 1 && journal->skipped == 0;
    if (current) {
        struct journal_segment *segment = &journal->segments[journal->segment_count - 1];
        segment->end = journal->active.offset + size;
        journal->last = message->sequence;
        journal->last_us = message->received_at_us;
        journal->full = journal->write_full = false;
        if (journal->first > journal->last) {
            journal->first = journal->segments[0].first_sequence;
        }
        wake_keeper = account_sync(journal, segment);
        account_room(journal);
        /* Half of the segment is used: time to prepare the next. */
        wake_keeper |=
            segment->end >= segment->bytes / 2 && journal->active.offset < segment->bytes / 2;
        wake_loader = journal->awaited != 0 && message->sequence >= journal->awaited;
    }
    pthread_mutex_unlock(&journal->lock);

    if (wake_loader) {
        pthread_cond_signal(&journal->appended);
    }
    if (wake_keeper) {
        pthread_cond_signal(&journal->keeper_wake);
    }
    if (current) {
        journal->active.offset += size;
    } else {
        journal->active.torn = true;
    }
    return current;
}

/* One attempt. *published is false when the number given to the message was skipped by journal_skip_to() meanwhile. */
static enum outcome append_once(struct journal *journal, struct message *message, bool *published,
                                struct error *error)
{
    int64_t size = (int64_t) record_size(message);
    enum outcome outcome = clear_torn(journal, error);
    if (outcome == OUTCOME_OK && (journal->active.fd < 0 || journal->skipped > 0 ||
                                  journal->active.offset + size > journal->active.bytes)) {
        outcome = open_next_segment(journal, size, error);
    }
    if (outcome == OUTCOME_OK) {
        message->sequence = journal->last + 1;
        buf_reset(&journal->record);
        record_encode(&journal->record, message, journal->active.seed);
        outcome = write_record(journal, error);
    }
    if (outcome == OUTCOME_OK) {
        *published = publish(journal, message);
    }
    return outcome;
}

enum outcome journal_append(struct journal *journal, struct message *message, struct error *error)
{
    enum outcome outcome;
    bool published = false;
    size_t size = record_size(message);
    message->sequence = 0;
    if (journal->options.read_only || journal->failed) {
        return journal->failed ? refuse_failed(error)
                               : error_set(error, OUTCOME_FATAL, "the journal is read only");
    }
    if (size > JOURNAL_RECORD_BYTES_MAX ||
        (int64_t) size + JOURNAL_SEGMENT_HEADER_BYTES > journal->options.max_bytes) {
        return error_set(error, OUTCOME_REJECT,
                         "a message of %zu bytes does not fit into a journal of %" PRId64, size,
                         journal->options.max_bytes);
    }
    do {
        outcome = append_once(journal, message, &published, error);
    } while (outcome == OUTCOME_OK && !published);

    if (outcome == OUTCOME_FATAL) {
        journal_fail(journal, error);
    }
    if (outcome != OUTCOME_OK) {
        message->sequence = 0;
    }
    if (journal->record.capacity > RECORD_BUFFER_BYTES) {
        buf_fini(&journal->record);
    }
    return outcome;
}

enum outcome journal_sync(struct journal *journal, struct error *error)
{
    enum outcome outcome = OUTCOME_OK;
    if (journal->options.read_only) {
        return OUTCOME_OK;
    }
    pthread_mutex_lock(&journal->lock);
    uint64_t ticket = ++journal->sync_asked;
    pthread_cond_signal(&journal->keeper_wake);
    while (journal->sync_done < ticket && !journal->failed) {
        thread_cond_wait(&journal->synced, &journal->lock, -1);
    }
    if (journal->failed) {
        outcome = refuse_failed(error);
    }
    pthread_mutex_unlock(&journal->lock);
    return outcome;
}

enum outcome journal_skip_to(struct journal *journal, uint64_t sequence, struct error *error)
{
    enum outcome outcome = OUTCOME_OK;
    pthread_mutex_lock(&journal->lock);
    if (sequence > journal->last && journal->last != journal->opened_last) {
        outcome = error_set(error, OUTCOME_REJECT,
                            "cannot skip to %" PRIu64 ": messages %" PRIu64 " to %" PRIu64
                            " were appended meanwhile",
                            sequence, journal->opened_last + 1, journal->last);
    } else if (sequence > journal->last) {
        journal->skipped += sequence - journal->last;
        journal->last = sequence;
        journal->opened_last = sequence;
        journal->cursor_dirty = true;
        journal_account(journal);
        pthread_cond_signal(&journal->appended);
        pthread_cond_signal(&journal->keeper_wake);
    }
    pthread_mutex_unlock(&journal->lock);
    return outcome;
}

/* --- room and waiting --- */

bool journal_crowded(const struct journal *journal)
{
    return journal->crowded;
}

bool journal_wait_room(struct journal *journal, int64_t milliseconds)
{
    int64_t end_ms = clock_monotonic_ms() + milliseconds;
    int64_t left_ms = milliseconds;
    pthread_mutex_lock(&journal->lock);
    while ((journal->request == REQUEST_REFUSED || journal->write_full) && left_ms > 0 &&
           !journal->failed) {
        thread_cond_wait(&journal->room, &journal->lock, left_ms);
        left_ms = end_ms - clock_monotonic_ms();
    }
    bool room = journal->request != REQUEST_REFUSED && !journal->write_full && !journal->failed;
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

/* --- questions --- */

uint64_t journal_last(const struct journal *journal)
{
    return journal->last;
}

uint64_t journal_first(const struct journal *journal)
{
    return journal->first;
}

uint64_t journal_stored(const struct journal *journal)
{
    return journal->stored;
}

const char *journal_uuid(const struct journal *journal)
{
    return journal->uuid_text;
}

void journal_set_stored(struct journal *journal, uint64_t sequence)
{
    pthread_mutex_lock(&journal->lock);
    if (journal->stored != sequence) {
        journal->stored = sequence;
        journal->cursor_dirty = true;
        journal_account(journal);
        pthread_cond_signal(&journal->keeper_wake);
    }
    pthread_mutex_unlock(&journal->lock);
}

/* With the lock. Numbers in (stored, last] that were given to messages and not deleted since. */
static uint64_t count_waiting(const struct journal *journal)
{
    uint64_t stored = journal->stored > journal->deleted ? journal->stored : journal->deleted;
    uint64_t last = journal->last - journal->skipped;
    uint64_t waiting = last > stored ? last - stored : 0;
    for (size_t i = 0; i < journal->segment_count && waiting > 0; i++) {
        const struct journal_segment *segment = &journal->segments[i];
        uint64_t before =
            segment->first_sequence - 1; /* the skipped are (before - skipped, before] */
        if (before <= stored || segment->skipped == 0) {
            continue;
        }
        uint64_t skipped = before - stored < segment->skipped ? before - stored : segment->skipped;
        waiting -= skipped < waiting ? skipped : waiting;
    }
    return waiting;
}

static int64_t find_oldest_us(struct journal *journal, uint64_t sequence)
{
    struct journal_next next;
    pthread_mutex_lock(&journal->oldest_lock);
    if (journal->oldest_sequence != sequence) {
        if (journal->oldest_reader == NULL) {
            journal->oldest_reader = journal_reader_new_quiet(journal);
        }
        enum journal_read read = JOURNAL_READ_FAILED;
        if (journal_reader_seek(journal->oldest_reader, sequence, &next.error) == OUTCOME_OK) {
            do {
                read = journal_reader_next(journal->oldest_reader, &next);
            } while (read == JOURNAL_READ_MISSING);
        }
        bool found = read == JOURNAL_READ_MESSAGE;
        journal->oldest_us = found ? next.message.received_at_us : 0;
        journal->oldest_sequence = found ? sequence : 0;
    }
    int64_t oldest_us = journal->oldest_us;
    pthread_mutex_unlock(&journal->oldest_lock);
    return oldest_us;
}

void journal_info(struct journal *journal, struct journal_info *info)
{
    *info = (struct journal_info){.max_bytes = journal->options.max_bytes};
    memcpy(info->uuid, journal->uuid_text, sizeof(info->uuid));
    pthread_mutex_lock(&journal->lock);
    info->first = journal->first;
    info->last = journal->last;
    info->stored = journal->stored;
    info->waiting = count_waiting(journal);
    info->bytes = journal->bytes_total;
    info->segments = (unsigned) journal->segment_count;
    info->last_us = journal->last_us;
    info->crowded = journal->crowded;
    info->full = journal->full;
    pthread_mutex_unlock(&journal->lock);
    if (info->waiting > 0) {
        info->oldest_us = find_oldest_us(journal, info->stored + 1);
    }
}
