/*
 * The outbox's thread publishes the files that are due and deletes each when the broker has
 * confirmed it. outbox_list decides which file is next, outbox_loss what a lost connection means.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ack/outbox_thread.h"

#include <assert.h>
#include <stdlib.h>

#include "ack/ack_publish.h"
#include "ack/outbox_file.h"
#include "ack/outbox_loss.h"
#include "ack/outbox_state.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"

enum {
    REST_MS = 500,      /* after a failure */
    REST_LOST_MS = 20,  /* after a connection was lost that an acknowledgment may have ended, … */
    LOST_IN_A_ROW = 50, /* … until so many were lost in a row without a confirmation */
    LOOK_MS = 1000,     /* between two looks at a connection that is kept ready */
    LOOK_SOON_MS = 200, /* … while there is none */
};

/* Writes the changed copy of an entry back to the list, unless the entry was removed meanwhile. */
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

/* Moves the entry's next acknowledgment into a file of its own. A crash may leave it in both files.
 * On a full disk the acknowledgment stays where it is and is given up there after LOSSES_MAX
 * losses: otherwise its file would never be deleted, and the disk would stay full. */
static void move_aside(struct outbox *outbox, struct outbox_entry *entry, struct slice acks)
{
    struct error error = {0};
    struct ack ack;
    struct ack_batch alone = {0};
    struct outbox_entry aside = {.mark = entry->mark,
                                 .count = 1,
                                 .state = OUTBOX_ASIDE,
                                 .losses = 1,
                                 .others = outbox->confirmed};
    assert(entry->confirmed < entry->count);
    if (ack_batch_next(&acks, &ack)) {
        ack_batch_append(&alone, &ack);
    }
    aside.bytes = OUTBOX_HEADER_BYTES + (int64_t) alone.bytes.length;
    pthread_mutex_lock(&outbox->mutex);
    aside.serial = outbox->list.next_serial++;
    pthread_mutex_unlock(&outbox->mutex);
    enum outcome outcome = outbox_write(outbox, &aside, &alone, &error);

    pthread_mutex_lock(&outbox->mutex);
    if (outcome == OUTCOME_OK) {
        outbox_list_add(&outbox->list, &aside);
    }
    if (outcome == OUTCOME_OK && outbox_list_find(&outbox->list, entry) == NULL) {
        /* The database went back before the file's mark, so outbox_settle() removed the entry:
         * storing the messages again makes new acknowledgments. */
        outbox_remove(outbox,
                      (size_t) (outbox_list_find(&outbox->list, &aside) - outbox->list.entries));
    }
    outbox_changed(outbox);
    pthread_mutex_unlock(&outbox->mutex);
    ack_batch_fini(&alone);
    outbox->aside_failed = outcome != OUTCOME_OK;
    if (outcome == OUTCOME_OK) {
        outbox_entry_confirmed(entry, 1);
    } else {
        log_warn("could not set an acknowledgment aside", F_TEXT("reason", error.text));
    }
}

static void give_up(struct outbox_entry *entry, struct slice acks)
{
    struct ack ack = {0};
    assert(entry->losses > 0);
    (void) ack_batch_next(&acks, &ack);
    log_error(
        "an acknowledgment is given up: the broker ends the connection whenever it is published",
        F_SLICE("rule", ack.rule), F_SLICE("topic", ack.topic));
    outbox_entry_confirmed(entry, 1);
}

/* How many of `acks` may be under way together. A suspect is published alone. */
static uint32_t next_step(const struct outbox *outbox, const struct outbox_entry *entry,
                          struct slice acks)
{
    uint32_t step = outbox_entry_step(entry);
    struct ack ack;

    if (outbox->levels.refused == 0 || step == 1) {
        return step;
    }
    for (uint32_t count = 0; count < step && ack_batch_next(&acks, &ack); count++) {
        if (ack_levels_suspect(&outbox->levels, ack.topic)) {
            return count > 0 ? count : 1;
        }
    }
    return step;
}

/* The connection has ended with the next of `acks` under way, perhaps with more. */
static void connection_ended(struct outbox *outbox, struct outbox_entry *entry, struct slice acks)
{
    struct slice rest = acks;
    struct ack ack = {0};
    (void) ack_batch_next(&rest, &ack);
    pthread_mutex_lock(&outbox->mutex);
    struct outbox_loss loss = {
        .alone = entry->state != OUTBOX_DUE || ack_levels_suspect(&outbox->levels, ack.topic),
        .aside_full = outbox->aside_failed || outbox_list_aside(&outbox->list) >= OUTBOX_ASIDE_MAX,
        .hopeless = ack_levels_hopeless(&outbox->levels, ack.topic),
        .confirmed = outbox->confirmed,
    };
    pthread_mutex_unlock(&outbox->mutex);
    outbox->losses++;
    if (loss.alone) {
        ack_levels_refused(&outbox->levels, ack.topic);
    }
    switch (outbox_entry_lost(entry, &loss)) {
    case OUTBOX_AGAIN:
        break;
    case OUTBOX_MOVE_ASIDE:
        move_aside(outbox, entry, acks);
        break;
    case OUTBOX_TO_THE_END:
        pthread_mutex_lock(&outbox->mutex);
        entry->turn = ++outbox->list.next_turn;
        pthread_mutex_unlock(&outbox->mutex);
        break;
    case OUTBOX_GIVE_UP:
        give_up(entry, acks);
        ack_levels_given_up(&outbox->levels, ack.topic);
        outbox->aside_failed = false; /* the next one tries again */
        break;
    }
    if (ack_levels_suspect(&outbox->levels, ack.topic)) {
        outbox_entry_explained(entry);
    }
    entry_note(outbox, entry);
}

/* The broker has confirmed the first `count` of `acks`. */
static void note_confirmed(struct outbox *outbox, const struct outbox_entry *entry,
                           struct slice acks, uint32_t count)
{
    struct ack ack;

    outbox->losses = 0;
    outbox->confirmed += entry->state == OUTBOX_ASIDE ? 0 : count;
    while (outbox->levels.refused > 0 && count > 0 && ack_batch_next(&acks, &ack)) {
        ack_levels_taken(&outbox->levels, ack.topic);
        count--;
    }
}

/* Publishes the acknowledgments that are not confirmed yet and notes confirmations. OUTCOME_OK:
 * none is left. */
static enum outcome publish_acks(struct outbox *outbox, struct outbox_entry *entry,
                                 struct slice acks, struct error *error)
{
    enum outcome outcome = OUTCOME_OK;
    struct ack ack;
    for (uint32_t i = 0; i < entry->confirmed && ack_batch_next(&acks, &ack); i++) {
    }
    uint32_t count = 1;
    while (outcome == OUTCOME_OK && count > 0) {
        struct slice group = acks;
        uint32_t step = next_step(outbox, entry, acks);
        outcome = ack_publish(outbox->publisher, step, &acks, &count, error);
        if (outcome == OUTCOME_REJECT) {
            outcome = OUTCOME_OK; /* passed over; that says nothing about the broker */
        } else if (count > 0) {
            note_confirmed(outbox, entry, group, count);
        }
        outbox_entry_confirmed(entry, count);
        entry_note(outbox, entry);
    }
    if (outcome == OUTCOME_RETRY && publisher_lost(outbox->publisher)) {
        connection_ended(outbox, entry, acks);
    }
    assert(entry->confirmed <= entry->count);
    return entry->confirmed == entry->count ? OUTCOME_OK : outcome;
}

/* OUTCOME_OK: the file is no longer needed: all is published, or the file can't be read. */
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

/* With the mutex held. Copies the entry that is to be published next; false when none is due. */
static bool find_due(struct outbox *outbox, struct outbox_entry *entry)
{
    const struct outbox_entry *found = outbox_list_first(&outbox->list);
    if (found != NULL) {
        assert(found->state != OUTBOX_WRITTEN); /* not before its COMMIT */
        *entry = *found;
    }
    return found != NULL;
}

/* Called with the mutex held and releases it meanwhile. Connects when a connection is to be kept
 * ready. Returns after how many milliseconds to check the connection again; -1: not at all. */
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
            thread_cond_wait(&outbox->cond, &outbox->mutex, wait_ms);
            found = find_due(outbox, entry);
        }
    }
    found = found && !outbox->ending;
    pthread_mutex_unlock(&outbox->mutex);
    return found;
}

/* How long to wait after a failure. */
static int64_t rest_ms(const struct outbox *outbox)
{
    bool searching = publisher_lost(outbox->publisher) && outbox->losses < LOST_IN_A_ROW;
    return searching ? REST_LOST_MS : REST_MS;
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
            thread_cond_wait(&outbox->cond, &outbox->mutex, rest_ms(outbox));
        }
        pthread_mutex_unlock(&outbox->mutex);
    }
    pthread_mutex_lock(&outbox->mutex);
    outbox->ending = true;
    pthread_cond_broadcast(&outbox->cond);
    pthread_mutex_unlock(&outbox->mutex);
    return NULL;
}
