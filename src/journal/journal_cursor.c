/* SPDX-License-Identifier: MIT */
#include "journal/journal_cursor.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/log.h"
#include "journal/journal_format.h"

/* Offsets in a slot. */
enum {
    SLOT_MAGIC = 0,
    SLOT_COUNTER = 8,
    SLOT_UUID = 16,
    SLOT_STORED = 32,
    SLOT_LAST = 40,
    SLOT_SKIPPED = 48,
    SLOT_SYNCED = 56,
    SLOT_BOOT = 64,
    SLOT_CLEAN = 72,
    SLOT_DELETED = 80,
    SLOT_CHECKSUM = 88,
};

/* The last slot is written without a sync, the slots before it with one. */
#define SLOT_UNSYNCED (CURSOR_SLOTS - 1)

static const uint8_t slot_magic[8] = {'m', 'q', 't', 't', '2', 'p', 'g', 'P'};

static void slot_encode(uint8_t slot[CURSOR_SLOT_BYTES], const struct cursor_state *state,
                        uint64_t counter)
{
    assert(state->skipped <= state->last && counter > 0);
    memset(slot, 0, CURSOR_SLOT_BYTES);
    memcpy(slot + SLOT_MAGIC, slot_magic, sizeof(slot_magic));
    bytes_put_le64(slot + SLOT_COUNTER, counter);
    memcpy(slot + SLOT_UUID, state->uuid, sizeof(state->uuid));
    bytes_put_le64(slot + SLOT_STORED, state->stored);
    bytes_put_le64(slot + SLOT_LAST, state->last);
    bytes_put_le64(slot + SLOT_SKIPPED, state->skipped);
    bytes_put_le64(slot + SLOT_SYNCED, state->synced);
    bytes_put_le64(slot + SLOT_BOOT, state->boot);
    bytes_put_le64(slot + SLOT_CLEAN, state->clean);
    bytes_put_le64(slot + SLOT_DELETED, state->deleted);
    bytes_put_le64(slot + SLOT_CHECKSUM, XXH3_64bits(slot, SLOT_CHECKSUM));
}

static bool slot_decode(const uint8_t slot[CURSOR_SLOT_BYTES], struct cursor_state *state,
                        uint64_t *counter)
{
    if (memcmp(slot + SLOT_MAGIC, slot_magic, sizeof(slot_magic)) != 0 ||
        bytes_get_le64(slot + SLOT_CHECKSUM) != XXH3_64bits(slot, SLOT_CHECKSUM)) {
        return false;
    }
    *counter = bytes_get_le64(slot + SLOT_COUNTER);
    memcpy(state->uuid, slot + SLOT_UUID, sizeof(state->uuid));
    state->stored = bytes_get_le64(slot + SLOT_STORED);
    state->last = bytes_get_le64(slot + SLOT_LAST);
    state->skipped = bytes_get_le64(slot + SLOT_SKIPPED);
    state->synced = bytes_get_le64(slot + SLOT_SYNCED);
    state->boot = bytes_get_le64(slot + SLOT_BOOT);
    state->clean = bytes_get_le64(slot + SLOT_CLEAN) != 0;
    state->deleted = bytes_get_le64(slot + SLOT_DELETED);
    return state->skipped <= state->last && state->last <= JOURNAL_SEQUENCE_MAX &&
           state->stored <= JOURNAL_SEQUENCE_MAX && state->deleted <= JOURNAL_SEQUENCE_MAX;
}

static void slots_read(struct journal_cursor *cursor, struct cursor_state *state)
{
    uint64_t synced = 0;
    for (int i = 0; i < CURSOR_SLOTS; i++) {
        uint8_t slot[CURSOR_SLOT_BYTES];
        struct cursor_state candidate;
        struct error error;
        uint64_t counter;
        ssize_t got =
            file_read(cursor->fd, slot, sizeof(slot), (int64_t) i * CURSOR_SLOT_DISTANCE, &error);
        if (got < 0) {
            log_warn("the journal's position can't be read in part", F_TEXT("reason", error.text));
        }
        if (got != sizeof(slot) || !slot_decode(slot, &candidate, &counter)) {
            continue;
        }
        if (i < SLOT_UNSYNCED && counter > synced) {
            synced = counter;
            cursor->next_synced = 1 - i;
        }
        if (counter > cursor->counter) {
            *state = candidate;
            cursor->counter = counter;
        }
    }
}

enum outcome cursor_open(struct journal_cursor *cursor, int directory_fd, bool read_only,
                         struct cursor_state *state, struct error *error)
{
    int flags = read_only ? O_RDONLY : O_RDWR | O_CREAT;
    *state = (struct cursor_state){0};
    cursor->counter = 0;
    cursor->next_synced = 0;
    cursor->fd = file_open_regular(directory_fd, CURSOR_FILE_NAME, flags);
    if (cursor->fd < 0) {
        return read_only && errno == ENOENT
                   ? OUTCOME_OK
                   : error_errno(error, OUTCOME_FATAL, "could not open \"%s\"", CURSOR_FILE_NAME);
    }
    slots_read(cursor, state);
    return OUTCOME_OK;
}

void cursor_close(struct journal_cursor *cursor)
{
    if (cursor->fd >= 0) {
        close(cursor->fd);
    }
    cursor->fd = -1;
}

enum outcome cursor_reserve(struct journal_cursor *cursor, struct error *error)
{
    return file_reserve(cursor->fd, SLOT_UNSYNCED * CURSOR_SLOT_DISTANCE + CURSOR_SLOT_BYTES,
                        error);
}

static enum outcome slot_write(struct journal_cursor *cursor, int slot_number,
                               const struct cursor_state *state, struct error *error)
{
    uint8_t slot[CURSOR_SLOT_BYTES];
    assert(slot_number >= 0 && slot_number < CURSOR_SLOTS && cursor->fd >= 0);
    uint64_t counter = cursor->counter + 1;
    slot_encode(slot, state, counter);
    enum outcome outcome = file_write(cursor->fd, slot, sizeof(slot),
                                      (int64_t) slot_number * CURSOR_SLOT_DISTANCE, error);
    if (outcome != OUTCOME_OK) {
        error_prefix(error, "file \"%s\"", CURSOR_FILE_NAME);
        return outcome;
    }
    cursor->counter = counter;
    return OUTCOME_OK;
}

enum outcome cursor_write(struct journal_cursor *cursor, const struct cursor_state *state,
                          struct error *error)
{
    return slot_write(cursor, SLOT_UNSYNCED, state, error);
}

enum outcome cursor_write_synced(struct journal_cursor *cursor, const struct cursor_state *state,
                                 struct error *error)
{
    assert(cursor->next_synced == 0 || cursor->next_synced == 1);
    enum outcome outcome = slot_write(cursor, cursor->next_synced, state, error);
    if (outcome == OUTCOME_OK) {
        outcome = file_sync(cursor->fd, error);
    }
    if (outcome == OUTCOME_OK) {
        cursor->next_synced = 1 - cursor->next_synced;
    }
    return outcome;
}

uint64_t cursor_boot(void)
{
    struct buf text = {0};
    struct error ignored;
    uint64_t boot = 0;
    if (file_load("/proc/sys/kernel/random/boot_id", 100, &text, &ignored) == OUTCOME_OK) {
        boot = XXH3_64bits(text.data, text.length) | 1;
    }
    buf_fini(&text);
    return boot;
}
