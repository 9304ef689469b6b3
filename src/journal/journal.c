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
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "journal/journal_internal.h"
#include "journal/journal_reader.h"
#include "journal/journal_state.h"
#include "journal/segment.h"

#define SEGMENT_BYTES_MAX ((int64_t) 64 * 1024 * 1024)
#define SEGMENTS_WANTED 16

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
    /* With larger segments a crowded journal could never get enough room again. */
    assert(journal->segment_bytes > 0 && journal->segment_bytes <= SEGMENT_BYTES_MAX);
    assert(journal->reserve_bytes <= journal->relief_bytes);
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

/* Adds advice to an error about permission. In a new installation the directory mostly belongs to
 * root and the service runs as another user. */
static enum outcome advise_on_permission(const struct journal *journal, struct error *error)
{
    if (error != NULL && (errno == EACCES || errno == EPERM || errno == EROFS)) {
        const char *advice = journal->options.read_only
                                 ? "run this as root, or as the user of the service"
                                 : "give it to the user that this runs as, or set another "
                                   "journal.directory";
        size_t used = strlen(error->text);
        snprintf(error->text + used, sizeof(error->text) - used, "; %s", advice);
    }
    return OUTCOME_FATAL;
}

/* Takes the lock: only one process may write. */
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

/* Syncs everything and writes the position with the mark `clean`. */
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
    assert(!journal->placing); /* the appender has left */
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
    assert(journal->awaited == 0); /* only one thread waits */
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
