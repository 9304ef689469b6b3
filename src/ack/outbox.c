/*
 * The life of a file:
 *
 *   outbox_prepare ─▶ written ─ outbox_commit, or outbox_settle at or beyond its mark ─▶ due
 *                        │                                                                │
 *                        │ outbox_abort, or outbox_settle before its mark       confirmed │
 *                        └────────────────────────────▶ deleted ◀─────────────────────────┘
 *
 * This file has the functions that the loader calls; outbox_thread.c has the thread that publishes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ack/outbox.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ack/outbox_file.h"
#include "ack/outbox_state.h"
#include "ack/outbox_thread.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/thread.h"

/* --- opening ---------------------------------------------------------------------------------- */

/* Adds the file of this name to the list, or deletes it when it is of no use. */
static enum outcome file_take(struct outbox *outbox, const char *name, struct error *error)
{
    struct outbox_entry entry = {0};
    size_t length = strlen(name);
    if (length > 8 && strcmp(name + length - 8, ".ack.tmp") == 0) {
        unlinkat(outbox->directory_fd, name, 0); /* left over from an interrupted write */
    }
    if (!outbox_entry_parse(name, &entry)) {
        return OUTCOME_OK;
    }
    char *path = memory_printf("%s/%s", outbox->directory, name);
    struct outbox_file file;
    struct buf content = {0};
    struct slice acks;
    enum outcome outcome = outbox_file_read(path, &file, &content, &acks, error);
    const char *wrong = NULL;
    if (outcome == OUTCOME_REJECT) {
        wrong = error->text;
    } else if (outcome == OUTCOME_OK && strcmp(file.journal, outbox->journal) != 0) {
        wrong = "it belongs to another journal";
    } else if (outcome == OUTCOME_OK && file.mark.position != entry.mark.position) {
        wrong = "its name and its content differ";
    }
    if (wrong != NULL) {
        log_warn("dropping a file of acknowledgments", F_TEXT("file", name),
                 F_TEXT("reason", wrong));
        unlinkat(outbox->directory_fd, name, 0);
        outcome = OUTCOME_OK;
    } else if (outcome == OUTCOME_OK) {
        entry.mark = file.mark;
        entry.count = file.count;
        entry.bytes = (int64_t) content.length;
        outbox_list_add(&outbox->list, &entry);
    }
    buf_fini(&content);
    free(path);
    assert(outcome != OUTCOME_REJECT); /* a bad file is dropped */
    return outcome;
}

static enum outcome directory_read(struct outbox *outbox, struct error *error)
{
    enum outcome outcome = OUTCOME_OK;
    DIR *directory = opendir(outbox->directory);
    if (directory == NULL) {
        return error_errno(error, OUTCOME_FATAL, "could not read directory \"%s\"",
                           outbox->directory);
    }
    struct dirent *each;
    while (outcome == OUTCOME_OK && (each = readdir(directory)) != NULL) {
        outcome = file_take(outbox, each->d_name, error);
    }
    closedir(directory);
    outbox_list_number(&outbox->list);
    return outcome;
}

static void outbox_free(struct outbox *outbox)
{
    publisher_free(outbox->publisher);
    if (outbox->directory_fd >= 0) {
        close(outbox->directory_fd);
    }
    pthread_cond_destroy(&outbox->cond);
    pthread_mutex_destroy(&outbox->mutex);
    outbox_list_fini(&outbox->list);
    free(outbox->directory);
    free(outbox->journal);
    free(outbox);
}

enum outcome outbox_open(struct outbox **outbox, const struct outbox_options *options,
                         struct error *error)
{
    assert(options->broker != NULL && options->max_bytes > 0);
    struct outbox *made = memory_alloc(sizeof(*made));
    made->directory = memory_strdup(options->directory);
    made->directory_fd = -1;
    made->journal = memory_strdup(options->journal);
    made->max_bytes = options->max_bytes;
    made->publisher = publisher_new(options->broker, options->place);
    pthread_mutex_init(&made->mutex, NULL);
    thread_cond_init(&made->cond);
    *outbox = NULL;

    enum outcome outcome = file_make_directory(options->directory, error);
    if (outcome != OUTCOME_OK) {
        goto fail;
    }
    made->directory_fd = open(options->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (made->directory_fd < 0) {
        outcome = error_errno(error, OUTCOME_FATAL, "could not open directory \"%s\"",
                              options->directory);
        goto fail;
    }
    outcome = directory_read(made, error);
    if (outcome != OUTCOME_OK) {
        goto fail;
    }
    *outbox = made;
    return OUTCOME_OK;
fail:
    outbox_free(made);
    return outcome;
}

/* --- from the loader -------------------------------------------------------------------------- */

static bool is_beyond(const struct outbox_mark *mark, const struct outbox_mark *stored)
{
    return mark->position != stored->position ? mark->position > stored->position
                                              : mark->stored_at_us > stored->stored_at_us;
}

static void make_due(struct outbox_entry *entry)
{
    if (entry->state == OUTBOX_WRITTEN) {
        entry->state = OUTBOX_DUE;
    }
}

static void start_thread(struct outbox *outbox)
{
    if (!outbox->started) {
        outbox->started = true;
        outbox->thread = thread_spawn("outbox", outbox_main, outbox);
    }
}

void outbox_expect(struct outbox *outbox, bool expected)
{
    pthread_mutex_lock(&outbox->mutex);
    outbox->expected = expected;
    pthread_cond_broadcast(&outbox->cond);
    pthread_mutex_unlock(&outbox->mutex);
    start_thread(outbox);
}

enum outcome outbox_settle(struct outbox *outbox, const struct outbox_mark *stored,
                           struct error *error)
{
    pthread_mutex_lock(&outbox->mutex);
    for (size_t i = outbox->list.count; i-- > 0;) {
        if (is_beyond(&outbox->list.entries[i].mark, stored)) {
            outbox_remove(outbox, i);
        } else {
            make_due(&outbox->list.entries[i]);
        }
    }
    outbox_changed(outbox);
    pthread_mutex_unlock(&outbox->mutex);
    start_thread(outbox);
    return file_sync_directory(outbox->directory_fd, error);
}

/* With the mutex. An empty outbox has room for any batch: a batch larger than max_bytes would wait
 * for ever otherwise. */
static bool has_room(const struct outbox *outbox, int64_t bytes)
{
    for (size_t i = 0; i < outbox->list.count; i++) {
        bytes += outbox->list.entries[i].bytes;
    }
    return outbox->list.count == 0 || bytes <= outbox->max_bytes;
}

bool outbox_wait_room(struct outbox *outbox, int64_t milliseconds)
{
    int64_t end_ms = clock_monotonic_ms() + milliseconds;
    int64_t left_ms = milliseconds;
    pthread_mutex_lock(&outbox->mutex);
    while (!has_room(outbox, outbox->refused_bytes) && left_ms > 0) {
        (void) thread_cond_wait(&outbox->cond, &outbox->mutex, left_ms);
        left_ms = end_ms - clock_monotonic_ms();
    }
    bool room = has_room(outbox, outbox->refused_bytes);
    pthread_mutex_unlock(&outbox->mutex);
    return room;
}

/* The size of the file for a batch. */
static int64_t file_bytes(const struct ack_batch *batch)
{
    return OUTBOX_HEADER_BYTES + (int64_t) batch->bytes.length;
}

enum outcome outbox_check_room(struct outbox *outbox, const struct ack_batch *batch,
                               struct error *error)
{
    if (batch->count == 0) {
        return OUTCOME_OK;
    }
    pthread_mutex_lock(&outbox->mutex);
    bool room = has_room(outbox, file_bytes(batch));
    outbox->refused_bytes = room ? 0 : file_bytes(batch);
    uint64_t waiting = outbox_list_waiting(&outbox->list);
    pthread_mutex_unlock(&outbox->mutex);
    return room ? OUTCOME_OK
                : error_set(error, OUTCOME_RETRY,
                            "outbox is full: %" PRIu64 " acknowledgments wait for the broker",
                            waiting);
}

enum outcome outbox_prepare(struct outbox *outbox, const struct outbox_mark *mark,
                            const struct ack_batch *batch, struct error *error)
{
    if (batch->count == 0) {
        return OUTCOME_OK;
    }
    if (outbox_check_room(outbox, batch, error) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    struct outbox_entry entry = {.mark = *mark, .count = batch->count, .bytes = file_bytes(batch)};
    pthread_mutex_lock(&outbox->mutex);
    entry.serial = outbox->list.next_serial++;
    pthread_mutex_unlock(&outbox->mutex);
    enum outcome outcome = outbox_write(outbox, &entry, batch, error);
    if (outcome == OUTCOME_OK) {
        pthread_mutex_lock(&outbox->mutex);
        outbox_list_add(&outbox->list, &entry);
        outbox_changed(outbox);
        pthread_mutex_unlock(&outbox->mutex);
        (void) FAULT("ack.file.written");
    } else if (outcome == OUTCOME_RETRY) {
        outcome = error->outcome = OUTCOME_REJECT; /* a smaller batch may fit */
    }
    return outcome;
}

void outbox_commit(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->mutex);
    for (size_t i = 0; i < outbox->list.count; i++) {
        make_due(&outbox->list.entries[i]);
    }
    outbox_changed(outbox);
    pthread_mutex_unlock(&outbox->mutex);
}

void outbox_abort(struct outbox *outbox)
{
    struct error error;
    bool removed = false;
    pthread_mutex_lock(&outbox->mutex);
    for (size_t i = outbox->list.count; i-- > 0;) {
        if (outbox->list.entries[i].state == OUTBOX_WRITTEN) {
            outbox_remove(outbox, i);
            removed = true;
        }
    }
    outbox_changed(outbox);
    pthread_mutex_unlock(&outbox->mutex);
    /* Sync: a file that came back after a power loss would be published once `progress` is beyond
     * its mark. */
    if (removed && file_sync_directory(outbox->directory_fd, &error) != OUTCOME_OK) {
        log_error("could not sync the directory of acknowledgments", F_TEXT("reason", error.text));
    }
}

void outbox_close(struct outbox *outbox, int64_t milliseconds)
{
    if (outbox == NULL) {
        return;
    }
    int64_t end_ms = clock_monotonic_ms() + milliseconds;
    pthread_mutex_lock(&outbox->mutex);
    outbox->closing = true;
    if (outbox_list_waiting(&outbox->list) == 0) {
        publisher_cancel(outbox->publisher); /* nothing is due, so no connection is needed */
    }
    pthread_cond_broadcast(&outbox->cond);
    while (outbox->started && !outbox->ending && clock_monotonic_ms() < end_ms) {
        thread_cond_wait(&outbox->cond, &outbox->mutex, end_ms - clock_monotonic_ms());
    }
    outbox->ending = true;
    uint64_t waiting = outbox_list_waiting(&outbox->list);
    pthread_cond_broadcast(&outbox->cond);
    pthread_mutex_unlock(&outbox->mutex);
    if (waiting > 0) {
        log_info("acknowledgments stay in the outbox until the next start", F_INT("acks", waiting));
    }
    publisher_cancel(outbox->publisher);
    if (outbox->started) {
        pthread_join(outbox->thread, NULL);
    }
    outbox_free(outbox);
}

uint64_t outbox_waiting(const struct outbox *outbox)
{
    struct outbox *locked = (struct outbox *) (uintptr_t) outbox;
    pthread_mutex_lock(&locked->mutex);
    uint64_t waiting = outbox_list_waiting(&outbox->list);
    pthread_mutex_unlock(&locked->mutex);
    return waiting;
}
