/*
 * How a message is appended:
 *
 *   room in the active segment? ──no──▶ take the prepared one; when there is none, ask the keeper
 *            │ yes                        and wait ──none to be had──▶ OUTCOME_RETRY
 *            ▼                            ▼
 *   encode ──▶ pwrite ──▶ (sync) ──▶ publish: under the lock move `end` and `last`, wake the loader
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/thread.h"
#include "journal/journal_state.h"
#include "journal/segment.h"

/* A buffer larger than this, left behind by a huge record, is freed. */
#define RECORD_BUFFER_BYTES ((size_t) 4 * 1024 * 1024)

/* How long to wait before a full disk is tried again. */
#define DISK_RETRY_MS 250
#define NAME_CHECK_MS 20

static enum outcome refuse_failed(struct error *error)
{
    return error_set(error, OUTCOME_FATAL, "the journal failed before");
}

static enum outcome refuse_gone(const struct journal *journal, struct error *error)
{
    return error_set(error, OUTCOME_RETRY, "the files of journal \"%s\" were deleted",
                     journal->directory);
}

/* With the lock. Asks the keeper for a prepared segment of at least `bytes`, better more, and waits
 * for its answer. */
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
    assert(journal->request != REQUEST_WANTED); /* the keeper has answered */
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
    assert(header->first_sequence == journal->last + 1 && header->skipped <= journal->skipped);
    assert(bytes > JOURNAL_SEGMENT_HEADER_BYTES);
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
    enum outcome outcome = ask_for_segment(journal, JOURNAL_SEGMENT_HEADER_BYTES + size, error);
    if (outcome != OUTCOME_OK) {
        pthread_mutex_unlock(&journal->lock);
        return outcome;
    }
    int fd = journal->prepared_fd;
    int64_t bytes = journal->prepared_bytes;
    struct segment_header header = journal_header(journal, journal->last + 1);
    header.skipped = journal->skipped;
    assert(!journal->placing && fd >= 0);
    journal->prepared_fd = -1;
    journal->placing = true;
    pthread_mutex_unlock(&journal->lock);

    outcome = segment_place(journal->directory_fd, fd, &header, always, error);
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

/* After a write that did not succeed: writes zeros behind the last record, so that half a record
 * can never be read as a whole one later. */
static enum outcome clear_torn(struct journal *journal, struct error *error)
{
    if (!journal->active.torn) {
        return OUTCOME_OK;
    }
    assert(journal->active.fd >= 0);
    enum outcome outcome =
        segment_clear(journal->active.fd, journal->active.offset, journal->active.bytes, error);
    journal->active.torn = outcome != OUTCOME_OK;
    return outcome;
}

/* Is it time to ask whether the active segment's file still has a name? An fstat() costs as much as
 * the write itself, so appends in quick succession ask every NAME_CHECK_MS. A journal whose files
 * were deleted may take messages for so long. With "always" each append asks. */
static bool name_check_due(struct journal *journal)
{
    int64_t now_ms;

    if (journal->options.sync_ms == JOURNAL_SYNC_ALWAYS) {
        return true;
    }
    now_ms = clock_monotonic_ms();
    if (now_ms < journal->active.name_checked_ms + NAME_CHECK_MS) {
        return false;
    }
    journal->active.name_checked_ms = now_ms;
    return true;
}

static enum outcome write_record(struct journal *journal, struct error *error)
{
    struct buf *record = &journal->record;
    enum outcome outcome;
    assert(record->length % JOURNAL_RECORD_ALIGN == 0);
    assert(journal->active.offset >= JOURNAL_SEGMENT_HEADER_BYTES && !journal->active.torn);
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
        journal_account_room(journal);
        pthread_cond_signal(&journal->keeper_wake);
        pthread_mutex_unlock(&journal->lock);
    }
    if (outcome == OUTCOME_OK && journal->options.sync_ms == JOURNAL_SYNC_ALWAYS) {
        outcome = journal_sync_file(journal->active.fd, error);
    }
    if (outcome == OUTCOME_OK && name_check_due(journal) && !file_has_name(journal->active.fd) &&
        journal_is_gone(journal, journal->active.fd)) {
        journal->active.torn = true;
        outcome = refuse_gone(journal, error);
    }
    return outcome;
}

/* With the lock. Notes the append for the sync policy; true when the keeper must be woken. */
static bool account_sync(struct journal *journal, struct journal_segment *segment)
{
    if (journal->options.sync_ms == JOURNAL_SYNC_ALWAYS) {
        segment->synced = segment->end;
        journal->synced_last = journal->last;
    } else if (journal->options.sync_ms > 0 && journal->sync_due_ms == 0) {
        /* Half of the promised time is for waiting, half for the sync itself. */
        journal->sync_due_ms =
            clock_monotonic_ms() + journal_larger(1, journal->options.sync_ms / 2);
        return true;
    }
    return false;
}

/* Makes the written record visible to readers. */
static void publish(struct journal *journal, const struct message *message)
{
    int64_t size = (int64_t) journal->record.length;

    pthread_mutex_lock(&journal->lock);
    assert(journal->segment_count > 0 && message->sequence == journal->last + 1);
    struct journal_segment *segment = &journal->segments[journal->segment_count - 1];
    assert(segment->end == journal->active.offset && !segment->sealed);
    segment->end = journal->active.offset + size;
    journal->last = message->sequence;
    journal->last_us = message->received_at_us;
    journal->full = journal->write_full = false;
    if (journal->first > journal->last) {
        journal->first = journal->segments[0].first_sequence;
    }
    bool wake_keeper = account_sync(journal, segment);
    journal_account_room(journal);
    /* Half of the segment is used: time to prepare the next. */
    wake_keeper |=
        segment->end >= segment->bytes / 2 && journal->active.offset < segment->bytes / 2;
    bool wake_loader = journal->awaited != 0 && message->sequence >= journal->awaited;
    pthread_mutex_unlock(&journal->lock);

    if (wake_loader) {
        pthread_cond_signal(&journal->appended);
    }
    if (wake_keeper) {
        pthread_cond_signal(&journal->keeper_wake);
    }
    journal->active.offset += size;
}

/* Appends to the active segment, which must have room for the record. */
static enum outcome append_record(struct journal *journal, struct message *message,
                                  struct error *error)
{
    assert(journal->active.offset + (int64_t) record_size(message) <= journal->active.bytes);
    message->sequence = journal->last + 1;
    buf_reset(&journal->record);
    record_encode(&journal->record, message, journal->active.seed);
    enum outcome outcome = write_record(journal, error);
    if (outcome == OUTCOME_OK) {
        publish(journal, message);
    }
    return outcome;
}

static enum outcome append(struct journal *journal, struct message *message, struct error *error)
{
    int64_t size = (int64_t) record_size(message);
    enum outcome outcome = clear_torn(journal, error);
    if (outcome == OUTCOME_OK && (journal->active.fd < 0 || journal->skipped > 0 ||
                                  journal->active.offset + size > journal->active.bytes)) {
        outcome = open_next_segment(journal, size, error);
    }
    return outcome == OUTCOME_OK ? append_record(journal, message, error) : outcome;
}

/* Would the message find room in an empty journal? */
static bool ever_fits(const struct journal *journal, const struct message *message)
{
    size_t size = record_size(message);
    return size <= JOURNAL_RECORD_BYTES_MAX &&
           (int64_t) size + JOURNAL_SEGMENT_HEADER_BYTES <= journal->options.max_bytes;
}

enum outcome journal_append(struct journal *journal, struct message *message, struct error *error)
{
    message->sequence = 0;
    if (journal->options.read_only || journal->failed) {
        return journal->failed ? refuse_failed(error)
                               : error_set(error, OUTCOME_FATAL, "the journal is read only");
    }
    if (journal->gone) {
        return refuse_gone(journal, error);
    }
    if (!ever_fits(journal, message)) {
        return error_set(error, OUTCOME_REJECT,
                         "a message of %zu bytes does not fit into a journal of %" PRId64,
                         record_size(message), journal->options.max_bytes);
    }
    enum outcome outcome = append(journal, message, error);
    if (outcome == OUTCOME_FATAL) {
        journal_fail(journal, error);
    }
    if (outcome != OUTCOME_OK) {
        message->sequence = 0;
    }
    assert(message->sequence == 0 || message->sequence == journal->last);
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
    assert(journal->sync_done < ticket);
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
