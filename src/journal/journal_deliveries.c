/* SPDX-License-Identifier: MIT */
#include "journal/journal_deliveries.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "core/gap.h"
#include "core/property.h"
#include "journal/journal_internal.h"
#include "journal/journal_reader.h"

/* A slot for each packet id. No message has id 0; its slot has the last lost session. */
enum { SLOTS = 65536, SLOT_OF_LOST_SESSION = 0 };

/* Offsets in a slot. Slots without a subscription, of earlier versions, have a checksum of 8 bytes
 * instead of the last two. */
enum {
    SLOT_SEQUENCE = 0,
    SLOT_HASH = 8,
    SLOT_SUBSCRIPTION = 16,
    SLOT_CHECKSUM = 20,
    SLOT_BYTES = 24,
    SLOT_CHECKSUM_V1 = 16
};

/* The upper bits of a slot's sequence are the broker's number. */
enum { SLOT_BROKER_SHIFT = 60 };
#define SLOT_SEQUENCE_BITS JOURNAL_SEQUENCE_MAX

#define FILE_BYTES ((int64_t) SLOTS * SLOT_BYTES)

/* Covers journal and packet id, so that a slot of another journal or at another place is as invalid
 * as a damaged one. */
static uint64_t slot_checksum(const struct journal *journal, const uint8_t *slot, size_t bytes,
                              uint16_t id)
{
    uint64_t seed = XXH3_64bits_withSeed(journal->uuid, sizeof(journal->uuid), id);
    return XXH3_64bits_withSeed(slot, bytes, seed);
}

static bool slot_is_v1(const struct journal *journal, const uint8_t *slot, uint16_t id)
{
    return bytes_get_le64(slot + SLOT_CHECKSUM_V1) ==
           slot_checksum(journal, slot, SLOT_CHECKSUM_V1, id);
}

static bool slot_is_sound(const struct journal *journal, const uint8_t *slot, uint16_t id)
{
    return bytes_get_le32(slot + SLOT_CHECKSUM) ==
               (uint32_t) slot_checksum(journal, slot, SLOT_CHECKSUM, id) ||
           slot_is_v1(journal, slot, id);
}

static uint64_t slot_sequence(const uint8_t *slot)
{
    return bytes_get_le64(slot + SLOT_SEQUENCE) & SLOT_SEQUENCE_BITS;
}

/* --- writing --- */

/* Slots of ids that follow one another, written together. */
struct run {
    struct journal *journal;
    bool newest; /* nothing in the file can be newer */
    uint16_t first_id;
    uint32_t count;
    struct buf bytes;
};

/* With the lock. When the file has a newer delivery of the same packet id, keeps that one: the
 * appender notes deliveries while older messages still wait to be deleted. */
static void keep_newer(struct run *run)
{
    struct error ignored;
    uint8_t *slots = (uint8_t *) run->bytes.data;
    uint8_t *there = memory_alloc(run->bytes.length);
    ssize_t got = file_read(run->journal->deliveries.fd, there, run->bytes.length,
                            (int64_t) run->first_id * SLOT_BYTES, &ignored);
    for (uint32_t i = 0; i < run->count && (int64_t) (i + 1) * SLOT_BYTES <= got; i++) {
        const uint8_t *old = there + (size_t) i * SLOT_BYTES;
        uint8_t *slot = slots + (size_t) i * SLOT_BYTES;
        if (slot_is_sound(run->journal, old, (uint16_t) (run->first_id + i)) &&
            slot_sequence(old) >= slot_sequence(slot)) {
            memcpy(slot, old, SLOT_BYTES);
        }
    }
    free(there);
}

static enum outcome run_write(struct run *run, struct error *error)
{
    struct deliveries_file *file = &run->journal->deliveries;
    assert(run->count > 0 && run->bytes.length == (size_t) run->count * SLOT_BYTES);
    pthread_mutex_lock(&file->lock);
    if (!run->newest) {
        keep_newer(run);
    }
    enum outcome outcome = file_write(file->fd, run->bytes.data, run->bytes.length,
                                      (int64_t) run->first_id * SLOT_BYTES, error);
    pthread_mutex_unlock(&file->lock);
    buf_reset(&run->bytes);
    run->count = 0;
    return outcome;
}

static enum outcome run_add(struct run *run, const struct journal_delivery *delivery,
                            struct error *error)
{
    uint8_t slot[SLOT_BYTES];
    uint16_t id = delivery->packet_id;
    enum outcome outcome = OUTCOME_OK;
    if (run->count > 0 && id != run->first_id + run->count) {
        outcome = run_write(run, error);
    }
    if (run->count == 0) {
        run->first_id = id;
    }
    assert(delivery->broker <= MESSAGE_BROKER_MAX && delivery->sequence <= SLOT_SEQUENCE_BITS);
    bytes_put_le64(slot + SLOT_SEQUENCE,
                   delivery->sequence | (uint64_t) delivery->broker << SLOT_BROKER_SHIFT);
    bytes_put_le64(slot + SLOT_HASH, delivery->hash);
    bytes_put_le32(slot + SLOT_SUBSCRIPTION, delivery->subscription);
    bytes_put_le32(slot + SLOT_CHECKSUM,
                   (uint32_t) slot_checksum(run->journal, slot, SLOT_CHECKSUM, id));
    buf_append(&run->bytes, slot, sizeof(slot));
    run->count++;
    return outcome;
}

/* The note on a message; false when the message needs none. */
static bool delivery_of(const struct message *message, struct journal_delivery *delivery)
{
    struct property_item item;
    struct gap gap;
    *delivery = (struct journal_delivery){.sequence = message->sequence, .broker = message->broker};
    if (message_is_delivery(message) && message->qos > 0 && message->packet_id != 0) {
        delivery->packet_id = message->packet_id;
        delivery->hash = message_hash(message);
        delivery->subscription =
            property_find(message->properties, PROPERTY_SUBSCRIPTION, &item) ? item.number : 0;
        return true;
    }
    delivery->packet_id = SLOT_OF_LOST_SESSION;
    return gap_from_message(message, &gap) && slice_is(gap.cause, gap_session_lost);
}

static enum outcome keep_messages(struct run *run, struct journal_reader *reader, uint64_t last,
                                  struct error *error)
{
    struct journal_next next;
    struct journal_delivery delivery;
    enum outcome outcome = OUTCOME_OK;
    while (outcome == OUTCOME_OK && journal_reader_position(reader) <= last) {
        enum journal_read read = journal_reader_next(reader, &next);
        if (read == JOURNAL_READ_FAILED) {
            log_warn("could not read a segment before deleting it: what the broker repeats of it "
                     "may be stored twice",
                     F_TEXT("reason", next.error.text));
        }
        if (read == JOURNAL_READ_FAILED || read == JOURNAL_READ_END) {
            break;
        }
        if (read == JOURNAL_READ_MESSAGE && next.message.sequence <= last &&
            delivery_of(&next.message, &delivery)) {
            outcome = run_add(run, &delivery, error);
        }
    }
    if (outcome == OUTCOME_OK && run->count > 0) {
        outcome = run_write(run, error);
    }
    return outcome;
}

enum outcome deliveries_open(struct journal *journal, struct error *error)
{
    struct deliveries_file *file = &journal->deliveries;
    file->fd = file_open_regular(journal->directory_fd, DELIVERIES_FILE_NAME, O_RDWR | O_CREAT);
    if (file->fd < 0) {
        return error_errno(error, OUTCOME_FATAL, "could not open \"%s\"", DELIVERIES_FILE_NAME);
    }
    /* On a small disk nothing is reserved, and writing a slot may find no room. */
    if (journal->options.max_bytes < 8 * FILE_BYTES || file_room(file->fd) < 2 * FILE_BYTES) {
        return OUTCOME_OK;
    }
    return file_reserve(file->fd, FILE_BYTES, error) == OUTCOME_FATAL ? OUTCOME_FATAL : OUTCOME_OK;
}

enum outcome deliveries_keep(struct journal *journal, uint64_t first, uint64_t last,
                             struct error *error)
{
    struct run run = {.journal = journal};
    assert(first <= last && journal->deliveries.fd >= 0);
    struct journal_reader *reader = journal_reader_new_quiet(journal);
    enum outcome outcome = journal_reader_seek(reader, first, error);
    if (outcome == OUTCOME_OK) {
        outcome = keep_messages(&run, reader, last, error);
    }
    if (outcome == OUTCOME_OK) {
        outcome = file_sync(journal->deliveries.fd, error);
    }
    (void) FAULT("journal.deliveries.kept");
    journal_reader_free(reader);
    buf_fini(&run.bytes);
    return outcome;
}

enum outcome journal_note_delivery(struct journal *journal, const struct journal_delivery *delivery,
                                   struct error *error)
{
    struct run run = {.journal = journal, .newest = true};
    assert(delivery->packet_id != SLOT_OF_LOST_SESSION);
    enum outcome outcome = run_add(&run, delivery, error);
    if (outcome == OUTCOME_OK && run.count > 0) {
        outcome = run_write(&run, error);
    }
    buf_fini(&run.bytes);
    return outcome;
}

void deliveries_init(struct deliveries_file *file)
{
    file->fd = -1;
    pthread_mutex_init(&file->lock, NULL);
}

void deliveries_fini(struct deliveries_file *file)
{
    if (file->fd >= 0) {
        close(file->fd);
    }
    pthread_mutex_destroy(&file->lock);
}

/* --- reading --- */

static int by_sequence(const void *left, const void *right)
{
    const struct journal_delivery *a = left;
    const struct journal_delivery *b = right;
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

/* The file's bytes; fewer when it is shorter or can't be read, none when there is no file. */
static size_t load_slots(struct journal *journal, uint8_t *bytes)
{
    struct error error;
    int fd = file_open_regular(journal->directory_fd, DELIVERIES_FILE_NAME, O_RDONLY);
    if (fd < 0) {
        return 0;
    }
    ssize_t got = file_read(fd, bytes, (size_t) FILE_BYTES, 0, &error);
    if (got < 0) {
        log_warn("could not read the notes on deleted messages: what the broker repeats of them "
                 "may be stored twice",
                 F_TEXT("reason", error.text));
    }
    close(fd);
    return got < 0 ? 0 : (size_t) got / SLOT_BYTES;
}

size_t journal_deliveries(struct journal *journal, uint64_t before,
                          struct journal_delivery **deliveries)
{
    uint8_t *bytes = memory_alloc((size_t) FILE_BYTES);
    size_t slots = load_slots(journal, bytes);
    struct journal_delivery *found = memory_alloc((slots + 1) * sizeof(*found));
    uint64_t lost_session = 0;
    size_t count = 0;
    for (size_t id = 0; id < slots; id++) {
        const uint8_t *slot = bytes + id * SLOT_BYTES;
        uint64_t sequence = slot_sequence(slot);
        if (!slot_is_sound(journal, slot, (uint16_t) id) || sequence >= before) {
            continue;
        }
        if (id == SLOT_OF_LOST_SESSION) {
            lost_session = sequence;
        } else if (sequence > lost_session) {
            found[count++] = (struct journal_delivery){
                .sequence = sequence,
                .hash = bytes_get_le64(slot + SLOT_HASH),
                .subscription = slot_is_v1(journal, slot, (uint16_t) id)
                                    ? 0
                                    : bytes_get_le32(slot + SLOT_SUBSCRIPTION),
                .packet_id = (uint16_t) id,
                .broker = (uint8_t) (bytes_get_le64(slot + SLOT_SEQUENCE) >> SLOT_BROKER_SHIFT),
            };
        }
    }
    free(bytes);
    if (count > 0) {
        qsort(found, count, sizeof(*found), by_sequence);
    }
    *deliveries = found;
    return count;
}
