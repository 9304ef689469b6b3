/*
 * The thread: what is due goes out, and is deleted when the broker has confirmed it.
 *
 * One that the broker will not have must not keep back all others, and a broker may answer it by
 * ending the connection (Mosquitto: a topic of more than 200 levels, which whoever asks for an
 * answer can choose). So when a connection ends with a thousand under way, these go a few at a time,
 * and when it ends with a few, these go one at a time. One with which it ends alone is set aside,
 * in a file of its own behind the others, for it may have been chance. Set aside and alone once
 * more, again and again, while others were confirmed: it is given up, with an error in the log.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "ack/ack_publish.h"
#include "ack/outbox_file.h"
#include "ack/outbox_internal.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"

enum {
    REST_MS = 500,      /* after a failure */
    LOOK_MS = 1000,     /* between two looks at a connection that is kept ready */
    LOOK_SOON_MS = 200, /* … while there is none */
    TOGETHER = 1000,    /* acknowledgments: what is published again after a loss */
    A_FEW = 32,         /* of them, while one is searched for: about as many steps as a step has */
    ASIDE_MS = 2000,    /* until one that was set aside is tried again */
    LOSSES_MAX = 3,     /* then it is no chance any more */
};

/* Notes what has become of an entry, unless it has gone meanwhile. */
static void entry_note(struct outbox *outbox, const struct outbox_entry *entry)
{
    pthread_mutex_lock(&outbox->mutex);
    struct outbox_entry *there = outbox_list_find(&outbox->list, entry);
    if (there != NULL) {
        *there = *entry;
    }
    outbox_changed(outbox);
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
    enum outcome outcome = outbox_write(outbox, &aside, &alone, &error);

    pthread_mutex_lock(&outbox->mutex);
    if (outcome == OUTCOME_OK) {
        outbox_list_add(&outbox->list, &aside);
    }
    if (outcome == OUTCOME_OK && outbox_list_find(&outbox->list, entry) == NULL) {
        /* The database went back before its mark: what is stored anew makes it anew. */
        outbox_remove(outbox,
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
    } else if (entry->unsure == 0) {
        entry->unsure = TOGETHER;
        entry->step = A_FEW;
    } else if (entry->step > 1) {
        entry->unsure = entry->step;
        entry->step = 1;
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
        uint32_t step = entry->unsure > 0 ? entry->step : TOGETHER;
        outcome = ack_publish(outbox->publisher, step, &acks, &count, error);
        entry->confirmed += count;
        entry->unsure -= entry->unsure < count ? entry->unsure : count;
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

void *outbox_main(void *context)
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
                outbox_remove(outbox, (size_t) (there - outbox->list.entries));
                outbox_changed(outbox);
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
