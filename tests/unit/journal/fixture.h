/*
 * fixture: what the journal's tests share. A message is made from a number n, which stands in its
 * payload, so that it can be known again whatever sequence it got.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_JOURNAL_FIXTURE_H
#define MQTT2PG_JOURNAL_FIXTURE_H

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "journal/journal.h"
#include "journal/journal_cursor.h"
#include "journal/journal_deliveries.h"
#include "journal/journal_reader.h"
#include "unit.h"

#define MB ((int64_t) 1024 * 1024)

/* Bytes of a fixture_message() with 100 bytes of payload. */
#define RECORD_100 176

static inline uint64_t fixture_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* As version 1 of the format wrote messages. */
static bool fixture_without_brokers;

/* Message number n with `bytes` of payload, at least 8; its bytes live in `buf`. */
static inline struct message fixture_message(struct buf *buf, uint64_t n, size_t bytes)
{
    uint64_t state = n * 2654435761u + 1;
    buf_reset(buf);
    buf_printf(buf, "devices/%04" PRIu64 "/telemetry", n % 10000);
    size_t topic = buf->length;
    buf_append(buf, "\x26\0\1k\0\1v", 7); /* a user property */
    size_t properties = buf->length - topic;
    buf_append(buf, &n, sizeof(n));
    while (buf->length - topic - properties < bytes) {
        size_t left = bytes - (buf->length - topic - properties);
        uint64_t word = fixture_random(&state);
        buf_append(buf, &word, left < sizeof(word) ? left : sizeof(word));
    }
    return (struct message){
        .kind = n % 5 == 0 ? MESSAGE_GAP : MESSAGE_PUBLISH,
        .qos = (uint8_t) (n % 3),
        .broker = fixture_without_brokers ? 0 : (uint8_t) (n % (MESSAGE_BROKER_MAX + 1)),
        .retained = n % 2 == 0,
        .duplicate = n % 7 == 0,
        .packet_id = (uint16_t) n,
        .received_at_us = (int64_t) n * 1000 + 1,
        .topic = slice_make(buf->data, topic),
        .properties = slice_make(buf->data + topic, properties),
        .payload = slice_make(buf->data + topic + properties, buf->length - topic - properties),
    };
}

/* The n of a message, 0 when it is not exactly a message that fixture_message() makes. */
static inline uint64_t fixture_number(const struct message *message)
{
    static struct buf buf;
    uint64_t n;
    if (message->payload.length < sizeof(n)) {
        return 0;
    }
    memcpy(&n, message->payload.data, sizeof(n));
    struct message made = fixture_message(&buf, n, message->payload.length);
    bool same = made.kind == message->kind && made.qos == message->qos &&
                made.broker == message->broker && made.retained == message->retained &&
                made.duplicate == message->duplicate && made.packet_id == message->packet_id &&
                made.received_at_us == message->received_at_us &&
                slice_equal(made.topic, message->topic) &&
                slice_equal(made.properties, message->properties) &&
                slice_equal(made.payload, message->payload);
    return same ? n : 0;
}

static inline enum outcome fixture_append(struct journal *journal, uint64_t n, size_t bytes,
                                          uint64_t *sequence)
{
    static struct buf buf;
    struct error error = {0};
    struct message message = fixture_message(&buf, n, bytes);
    enum outcome outcome = journal_append(journal, &message, &error);
    if (sequence != NULL) {
        *sequence = message.sequence;
    }
    if (outcome != OUTCOME_OK) {
        CHECK_INT_EQ(message.sequence, 0);
        CHECK(error.text[0] != '\0');
    }
    return outcome;
}

/* A directory of its own for every call (of the last sixteen). */
static inline const char *fixture_directory(void)
{
    static char paths[16][300];
    static unsigned number;
    char *path = paths[++number % 16];
    snprintf(path, sizeof(paths[0]), "%s/j%u", unit_scratch(), number);
    return path;
}

static inline struct journal_options fixture_options(const char *directory)
{
    return (struct journal_options){
        .directory = directory,
        .max_bytes = 16 * MB,
        .sync_ms = 100,
        .keep_ms = 3600000,
    };
}

static inline struct journal *fixture_open(const struct journal_options *options)
{
    struct journal *journal = NULL;
    struct error error = {0};
    if (!CHECK(journal_open(&journal, options, &error) == OUTCOME_OK)) {
        printf("journal_open: %s\n", error.text);
        abort();
    }
    return journal;
}

/* What a reader saw. */
struct seen {
    uint64_t numbers[20000];
    uint64_t sequences[20000];
    size_t count;
    uint64_t missing;
    uint64_t deleted;
    bool strange; /* a message that nobody wrote, disorder, or an I/O error */
};

/* Reads on to the end. */
static inline void fixture_read(struct journal_reader *reader, struct seen *seen)
{
    struct journal_next next;
    enum journal_read read;
    while ((read = journal_reader_next(reader, &next)) == JOURNAL_READ_MESSAGE ||
           read == JOURNAL_READ_MISSING) {
        if (read == JOURNAL_READ_MISSING) {
            seen->strange |= next.missing.count == 0;
            *(next.missing.deleted ? &seen->deleted : &seen->missing) += next.missing.count;
            continue;
        }
        uint64_t n = fixture_number(&next.message);
        uint64_t before = seen->count > 0 ? seen->sequences[seen->count - 1] : 0;
        seen->strange |= n == 0 || next.message.sequence <= before ||
                         journal_reader_position(reader) != next.message.sequence + 1;
        seen->sequences[seen->count] = next.message.sequence;
        seen->numbers[seen->count++] = n;
    }
    seen->strange |= read == JOURNAL_READ_FAILED;
}

/* All that is in the journal from `sequence` on. */
static inline struct seen *fixture_read_from(struct journal *journal, uint64_t sequence)
{
    static struct seen seen;
    struct error error;
    seen = (struct seen){0};
    struct journal_reader *reader = journal_reader_new(journal);
    if (CHECK(journal_reader_seek(reader, sequence, &error) == OUTCOME_OK)) {
        fixture_read(reader, &seen);
    }
    journal_reader_free(reader);
    return &seen;
}

static inline bool fixture_has(const struct seen *seen, uint64_t n)
{
    for (size_t i = 0; i < seen->count; i++) {
        if (seen->numbers[i] == n) {
            return true;
        }
    }
    return false;
}

/* The numbers 1 … count in order, nothing missing. */
static inline bool fixture_whole(const struct seen *seen, size_t count)
{
    bool whole = seen->count == count && seen->missing == 0 && !seen->strange;
    for (size_t i = 0; i < count && whole; i++) {
        whole = seen->numbers[i] == i + 1;
    }
    return whole;
}

static inline int fixture_compare(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

static inline int fixture_is_segment(const struct dirent *entry)
{
    return strstr(entry->d_name, ".segment") != NULL;
}

/* Path of the index-th segment file, "" when there is none. */
static inline const char *fixture_segment(const char *directory, int index)
{
    static char path[700];
    struct dirent **list = NULL;
    int count = scandir(directory, &list, fixture_is_segment, fixture_compare);
    path[0] = '\0';
    for (int i = 0; i < count; i++) {
        if (i == index) {
            snprintf(path, sizeof(path), "%s/%s", directory, list[i]->d_name);
        }
        free(list[i]);
    }
    free(list);
    return path;
}

static inline int fixture_count_files(const char *directory)
{
    struct dirent **list = NULL;
    int count = scandir(directory, &list, NULL, fixture_compare);
    for (int i = 0; i < count; i++) {
        free(list[i]);
    }
    free(list);
    return count < 0 ? -1 : count - 2;
}

/* False when there is no such file any more. */
static inline bool fixture_copy_file(const char *from, const char *to)
{
    static struct buf bytes;
    struct error error;
    buf_reset(&bytes);
    if (file_load(from, 1000 * (size_t) MB, &bytes, &error) != OUTCOME_OK) {
        return false;
    }
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(file_write(fd, bytes.data, bytes.length, 0, &error) == OUTCOME_OK);
    close(fd);
    return true;
}

/* The journal as kill -9 would leave it: the segments, then the other files. What the keeper deletes
 * meanwhile is deleted. */
static inline void fixture_copy(const char *from, const char *to)
{
    char source[700];
    char target[700];
    struct dirent **list = NULL;
    int count = scandir(from, &list, fixture_is_segment, fixture_compare);
    mkdir(to, 0700);
    for (int i = 0; i < count; i++) {
        snprintf(source, sizeof(source), "%.320s/%.40s", from, list[i]->d_name);
        snprintf(target, sizeof(target), "%.320s/%.40s", to, list[i]->d_name);
        fixture_copy_file(source, target);
        free(list[i]);
    }
    free(list);
    const char *const others[] = {CURSOR_FILE_NAME, DELIVERIES_FILE_NAME};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        snprintf(source, sizeof(source), "%.320s/%s", from, others[i]);
        snprintf(target, sizeof(target), "%.320s/%s", to, others[i]);
        fixture_copy_file(source, target);
    }
}

/* Waits until the condition holds, at most ten seconds. */
#define WAIT_UNTIL(condition) \
    do { \
        int64_t end_ms = clock_monotonic_ms() + 10000; \
        while (!(condition) && clock_monotonic_ms() < end_ms) { \
            usleep(1000); \
        } \
        CHECK(condition); \
    } while (0)

/* Puts the scratch directory into memory, for tests that open thousands of journals: a sync costs
 * nothing there. Before all else. */
#define FIXTURE_IN_MEMORY \
    static __attribute__((constructor)) void fixture_in_memory(void) \
    { \
        struct statvfs shm; \
        if (statvfs("/dev/shm", &shm) == 0 && access("/dev/shm", W_OK) == 0 && \
            shm.f_bavail * shm.f_frsize > 500 * (unsigned long) MB) { \
            setenv("TMPDIR", "/dev/shm", 0); \
        } \
    }

/* Sanitizers make everything slower: then every n-th case. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FIXTURE_STEP 7
#else
#define FIXTURE_STEP 1
#endif

static inline void fixture_remove(const char *directory)
{
    nftw(directory, unit_scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Changes the position file of a journal that is closed. */
static inline void fixture_edit_position(const char *directory,
                                         void (*edit)(struct cursor_state *, uint64_t),
                                         uint64_t value)
{
    struct journal_cursor cursor;
    struct cursor_state state;
    struct error error;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(cursor_open(&cursor, fd, false, &state, &error) == OUTCOME_OK && cursor_found(&cursor));
    edit(&state, value);
    CHECK(cursor_write_synced(&cursor, &state, &error) == OUTCOME_OK);
    cursor_close(&cursor);
    close(fd);
}

static inline void fixture_edit_boot(struct cursor_state *state, uint64_t value)
{
    state->boot ^= value;
    state->clean = false;
}

/* Makes the position say that it was written before the machine's last start, by a process that did
 * not end. */
static inline void fixture_power_loss(const char *directory)
{
    fixture_edit_position(directory, fixture_edit_boot, 2);
}

static inline void fixture_edit_last(struct cursor_state *state, uint64_t value)
{
    state->skipped += value - state->last;
    state->last = value;
}

static inline void fixture_edit_last_by(struct cursor_state *state, uint64_t value)
{
    fixture_edit_last(state, state->last + value);
}

/* Leaves numbers out: the next message gets last + 1. */
static inline void fixture_skip_to(const char *directory, uint64_t last)
{
    fixture_edit_position(directory, fixture_edit_last, last);
}

/* Tests damage journals on purpose: only errors are worth a line. */
static inline void fixture_quiet(void)
{
    log_configure(&(struct log_options){.level = LOG_ERROR, .format = LOG_TEXT});
}

#endif
