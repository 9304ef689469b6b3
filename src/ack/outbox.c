/*
 *   outbox_prepare ─▶ written ── outbox_commit, outbox_settle at or beyond its mark ─▶ due ── published, confirmed ─▶ deleted
 *                        └────── outbox_abort, outbox_settle before its mark ─▶ deleted
 *
 * One that the broker will not have must not keep back all others, and a broker may answer it by
 * ending the connection (Mosquitto: a topic of more than 200 levels, which whoever asks for an
 * answer can choose). So when a connection ends with a thousand under way, these go one at a time;
 * one with which it ends alone is set aside, in a file of its own behind the others, for it may
 * have been chance. Set aside and alone once more, again and again, while others were confirmed: it
 * is given up, with an error in the log.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ack/outbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ack/ack_publish.h"
#include "ack/outbox_file.h"
#include "ack/outbox_list.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/thread.h"

enum {
    REST_MS = 500,      /* after a failure */
    LOOK_MS = 1000,     /* between two looks at a connection that is kept ready */
    LOOK_SOON_MS = 200, /* … while there is none */
    TOGETHER = 1000,    /* acknowledgments: what is published again after a loss */
    ASIDE_MS = 2000,    /* until one that was set aside is tried again */
    LOSSES_MAX = 3,     /* then it is no chance any more */
};

/* Everything from `mutex` on is guarded by it. */
struct outbox {
    char *directory;
    int directory_fd;
    char *journal;
    int64_t max_bytes;
    struct publisher *publisher; /* of the thread */
    bool told;                   /* of the thread: that there is no connection */
    uint64_t confirmed; /* of the thread: acknowledgments, those set aside not among them */
    pthread_t thread;
    bool started;

    pthread_mutex_t mutex;
    pthread_cond_t cond;
    struct outbox_list list;
    int64_t refused_bytes; /* for which there was no room last; 0 = there was */
    bool expected;         /* a connection is to be kept ready */
    bool closing;          /* ends when nothing is due */
    bool ending;           /* ends now */
};

/* --- the list --------------------------------------------------------------------------------- */

/* Deletes the file and forgets it. */
static void list_remove(struct outbox *outbox, size_t index)
{
    char name[OUTBOX_NAME_BYTES];
    outbox_entry_name(name, &outbox->list.entries[index]);
    if (unlinkat(outbox->directory_fd, name, 0) != 0 && errno != ENOENT) {
        log_warn("could not delete a file of acknowledgments, they will be published again",
                 F_TEXT("file", name), F_TEXT("reason", strerror(errno)));
    }
    outbox_list_remove(&outbox->list, index);
}

/* After any change, with the mutex held. */
static void list_changed(struct outbox *outbox)
{
    metric_set(METRIC_ACKS_WAITING, (int64_t) outbox_list_waiting(&outbox->list));
    pthread_cond_broadcast(&outbox->cond);
}

/* --- opening ---------------------------------------------------------------------------------- */

/* Takes one file into the list, or throws it away. */
static enum outcome file_take(struct outbox *outbox, const char *name, struct error *error)
{
    struct outbox_entry entry = {0};
    size_t length = strlen(name);
    if (length > 8 && strcmp(name + length - 8, ".ack.tmp") == 0) {
        unlinkat(outbox->directory_fd, name, 0); /* of a write that was interrupted */
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
    struct outbox *made = memory_alloc(sizeof(*made));
    made->directory = memory_strdup(options->directory);
    made->directory_fd = -1;
    made->journal = memory_strdup(options->journal);
    made->max_bytes = options->max_bytes;
    made->publisher = publisher_new(options->broker);
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

/* --- publishing, in the thread ---------------------------------------------------------------- */

/* Writes the file of this entry. */
static enum outcome entry_write(struct outbox *outbox, const struct outbox_entry *entry,
                                const struct ack_batch *batch, struct error *error)
{
    char name[OUTBOX_NAME_BYTES];
    outbox_entry_name(name, entry);
    struct outbox_file file = {.mark = entry->mark, .count = batch->count};
    snprintf(file.journal, sizeof(file.journal), "%s", outbox->journal);
    return outbox_file_write(outbox->directory_fd, name, &file, buf_slice(&batch->bytes), error);
}

/* Notes what has become of an entry, unless it has gone meanwhile. */
static void entry_note(struct outbox *outbox, const struct outbox_entry *entry)
{
    pthread_mutex_lock(&outbox->mutex);
    struct outbox_entry *there = outbox_list_find(&outbox->list, entry);
    if (there != NULL) {
        *there = *entry;
    }
    list_changed(outbox);
    pthread_mutex_unlock(&outbox->mutex);
}

static void mark_aside(const struct outbox *outbox, struct outbox_entry *entry)
{
    entry->aside = true;
    entry->losses = 1;
    entry->again_ms = clock_monotonic_ms() + ASIDE_MS;
    entry->others = outbox->confirmed;
}

/* The next of this entry's acknowledgments goes into a file of its own. A crash may leave it in
 * both. */
static void move_aside(struct outbox *outbox, struct outbox_entry *entry, struct slice acks)
{
    struct error error = {0};
    struct ack ack;
    struct ack_batch alone = {0};
    struct outbox_entry aside = {.mark = entry->mark, .count = 1, .due = true};
    if (ack_batch_next(&acks, &ack)) {
        ack_batch_append(&alone, &ack);
    }
    aside.bytes = OUTBOX_HEADER_BYTES + (int64_t) alone.bytes.length;
    mark_aside(outbox, &aside);
    pthread_mutex_lock(&outbox->mutex);
    aside.serial = outbox->list.next_serial++;
    pthread_mutex_unlock(&outbox->mutex);
    enum outcome outcome = entry_write(outbox, &aside, &alone, &error);

    pthread_mutex_lock(&outbox->mutex);
    if (outcome == OUTCOME_OK) {
        outbox_list_add(&outbox->list, &aside);
    }
    if (outcome == OUTCOME_OK && outbox_list_find(&outbox->list, entry) == NULL) {
        /* The database went back before its mark: what is stored anew makes it anew. */
        list_remove(outbox,
                    (size_t) (outbox_list_find(&outbox->list, &aside) - outbox->list.entries));
    }
    pthread_mutex_unlock(&outbox->mutex);
    ack_batch_fini(&alone);
    if (outcome == OUTCOME_OK) {
        entry->confirmed++;
    } else {
        log_warn("could not set an acknowledgment aside", F_TEXT("reason", error.text));
    }
}

/* The connection has ended with the next of `acks` under way, perhaps with more. OUTCOME_OK: it is
 * given up. */
static enum outcome connection_ended(struct outbox *outbox, struct outbox_entry *entry,
                                     struct slice acks)
{
    struct ack ack = {0};
    if (entry->aside) {
        entry->losses++;
        entry->again_ms = clock_monotonic_ms() + ASIDE_MS;
        if (entry->losses >= LOSSES_MAX && outbox->confirmed > entry->others) {
            (void) ack_batch_next(&acks, &ack);
            log_error("an acknowledgment is given up: the broker ends the connection whenever it "
                      "is published",
                      F_SLICE("rule", ack.rule), F_SLICE("topic", ack.topic));
            return OUTCOME_OK;
        }
    } else if (entry->singly == 0) {
        entry->singly = TOGETHER;
    } else if (entry->count - entry->confirmed > 1) {
        move_aside(outbox, entry, acks);
    } else {
        mark_aside(outbox, entry);
    }
    entry_note(outbox, entry);
    return OUTCOME_RETRY;
}

/* Publishes what is not confirmed yet, and notes what is. */
static enum outcome publish_acks(struct outbox *outbox, struct outbox_entry *entry,
                                 struct slice acks, struct error *error)
{
    enum outcome outcome = OUTCOME_OK;
    struct ack ack;
    for (uint32_t i = 0; i < entry->confirmed && ack_batch_next(&acks, &ack); i++) {
    }
    uint32_t count = 1;
    while (outcome == OUTCOME_OK && count > 0) {
        outcome =
            ack_publish(outbox->publisher, entry->singly > 0 ? 1 : TOGETHER, &acks, &count, error);
        entry->confirmed += count;
        entry->singly -= entry->singly > 0 ? count : 0;
        outbox->confirmed += entry->aside ? 0 : count;
        entry_note(outbox, entry);
    }
    return outcome == OUTCOME_RETRY && publisher_lost(outbox->publisher)
               ? connection_ended(outbox, entry, acks)
               : outcome;
}

/* OUTCOME_OK: the file has done its work, or can't. */
static enum outcome publish_file(struct outbox *outbox, struct outbox_entry *entry,
                                 struct error *error)
{
    char name[OUTBOX_NAME_BYTES];
    outbox_entry_name(name, entry);
    char *path = memory_printf("%s/%s", outbox->directory, name);
    struct outbox_file file;
    struct buf content = {0};
    struct slice acks;
    enum outcome outcome = outbox_file_read(path, &file, &content, &acks, error);
    if (outcome == OUTCOME_REJECT) {
        log_error("acknowledgments are lost", F_TEXT("reason", error->text));
        outcome = OUTCOME_OK;
    } else if (outcome == OUTCOME_OK) {
        (void) FAULT("ack.publish.before");
        outcome = publish_acks(outbox, entry, acks, error);
    }
    buf_fini(&content);
    free(path);
    return outcome;
}

/* The first that is due; but first one that was set aside and whose time has come. */
static bool find_due(const struct outbox *outbox, struct outbox_entry *entry)
{
    const struct outbox_entry *found = NULL;
    int64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < outbox->list.count; i++) {
        const struct outbox_entry *each = &outbox->list.entries[i];
        if (each->due && each->aside && each->again_ms <= now_ms) {
            found = each;
            break;
        }
        if (each->due && !each->aside && found == NULL) {
            found = each;
        }
    }
    if (found != NULL) {
        *entry = *found;
    }
    return found != NULL;
}

/* For how long the thread may wait: less than `wait_ms` (-1 = for ever) when something is set
 * aside. */
static int64_t wait_for_aside(const struct outbox *outbox, int64_t wait_ms)
{
    bool aside = false;
    for (size_t i = 0; i < outbox->list.count; i++) {
        aside = aside || outbox->list.entries[i].aside;
    }
    return aside && (wait_ms < 0 || wait_ms > ASIDE_MS) ? ASIDE_MS : wait_ms;
}

/* With the mutex held, which is released meanwhile. Returns for how long nothing has to be done
 * about the connection. */
static int64_t keep_connected(struct outbox *outbox)
{
    struct error error = {0};
    if (!outbox->expected) {
        return -1;
    }
    pthread_mutex_unlock(&outbox->mutex);
    bool connected = publisher_keep_connected(outbox->publisher, &error);
    pthread_mutex_lock(&outbox->mutex);
    bool closing = outbox->closing || outbox->ending;
    if (error.text[0] != '\0' && !outbox->told && !closing) {
        log_warn("no connection for acknowledgments", F_TEXT("reason", error.text));
        outbox->told = true;
    }
    outbox->told = outbox->told && !connected;
    return connected ? LOOK_MS : LOOK_SOON_MS;
}

/* Waits until a file is due; false when the thread is to end. */
static bool next_due(struct outbox *outbox, struct outbox_entry *entry)
{
    pthread_mutex_lock(&outbox->mutex);
    bool found = find_due(outbox, entry);
    while (!found && !outbox->ending && !outbox->closing) {
        int64_t wait_ms = keep_connected(outbox);
        found = find_due(outbox, entry);
        if (!found && !outbox->ending && !outbox->closing) {
            thread_cond_wait(&outbox->cond, &outbox->mutex, wait_for_aside(outbox, wait_ms));
            found = find_due(outbox, entry);
        }
    }
    found = found && !outbox->ending;
    pthread_mutex_unlock(&outbox->mutex);
    return found;
}

static void *outbox_main(void *context)
{
    struct outbox *outbox = context;
    struct outbox_entry entry;
    while (next_due(outbox, &entry)) {
        struct error error = {0};
        enum outcome outcome = publish_file(outbox, &entry, &error);
        if (outcome == OUTCOME_OK) {
            (void) FAULT("ack.publish.after");
        }
        pthread_mutex_lock(&outbox->mutex);
        if (outcome == OUTCOME_OK) {
            struct outbox_entry *there = outbox_list_find(&outbox->list, &entry);
            if (there != NULL) {
                list_remove(outbox, (size_t) (there - outbox->list.entries));
                list_changed(outbox);
                (void) FAULT("ack.file.deleted");
            }
        } else if (!outbox->ending) {
            log_warn("acknowledgments wait", F_TEXT("reason", error.text));
            thread_cond_wait(&outbox->cond, &outbox->mutex, REST_MS);
        }
        pthread_mutex_unlock(&outbox->mutex);
    }
    pthread_mutex_lock(&outbox->mutex);
    outbox->ending = true;
    pthread_cond_broadcast(&outbox->cond);
    pthread_mutex_unlock(&outbox->mutex);
    return NULL;
}

/* --- from the loader -------------------------------------------------------------------------- */

static bool is_beyond(const struct outbox_mark *mark, const struct outbox_mark *stored)
{
    return mark->position != stored->position ? mark->position > stored->position
                                              : mark->stored_at_us > stored->stored_at_us;
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
            list_remove(outbox, i);
        } else {
            outbox->list.entries[i].due = true;
        }
    }
    list_changed(outbox);
    pthread_mutex_unlock(&outbox->mutex);
    start_thread(outbox);
    return file_sync_directory(outbox->directory_fd, error);
}

/* With the mutex. One batch always has room: a full outbox must not stop a batch that is larger than
 * it for ever. */
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

enum outcome outbox_prepare(struct outbox *outbox, const struct outbox_mark *mark,
                            const struct ack_batch *batch, struct error *error)
{
    if (batch->count == 0) {
        return OUTCOME_OK;
    }
    struct outbox_entry entry = {.mark = *mark,
                                 .count = batch->count,
                                 .bytes = OUTBOX_HEADER_BYTES + (int64_t) batch->bytes.length};
    pthread_mutex_lock(&outbox->mutex);
    bool room = has_room(outbox, entry.bytes);
    outbox->refused_bytes = room ? 0 : entry.bytes;
    uint64_t waiting = outbox_list_waiting(&outbox->list);
    entry.serial = outbox->list.next_serial++;
    pthread_mutex_unlock(&outbox->mutex);
    if (!room) {
        return error_set(error, OUTCOME_RETRY,
                         "outbox is full: %" PRIu64 " acknowledgments wait for the broker",
                         waiting);
    }
    enum outcome outcome = entry_write(outbox, &entry, batch, error);
    if (outcome == OUTCOME_OK) {
        pthread_mutex_lock(&outbox->mutex);
        outbox_list_add(&outbox->list, &entry);
        pthread_mutex_unlock(&outbox->mutex);
        (void) FAULT("ack.file.written");
    } else if (outcome == OUTCOME_RETRY) {
        outcome = error->outcome = OUTCOME_REJECT; /* a smaller one may fit */
    }
    return outcome;
}

void outbox_commit(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->mutex);
    for (size_t i = 0; i < outbox->list.count; i++) {
        outbox->list.entries[i].due = true;
    }
    list_changed(outbox);
    pthread_mutex_unlock(&outbox->mutex);
}

void outbox_abort(struct outbox *outbox)
{
    struct error error;
    bool removed = false;
    pthread_mutex_lock(&outbox->mutex);
    for (size_t i = outbox->list.count; i-- > 0;) {
        if (!outbox->list.entries[i].due) {
            list_remove(outbox, i);
            removed = true;
        }
    }
    pthread_mutex_unlock(&outbox->mutex);
    /* A file that came back after a power loss would pass for true, once `progress` is beyond its
     * mark. */
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
        publisher_cancel(outbox->publisher); /* an attempt to connect is in vain now */
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
