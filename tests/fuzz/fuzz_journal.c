/*
 * Whatever stands in a segment file: opening and reading it never crashes, never hangs, and gives
 * only records whose checksum holds.
 *
 * The first byte of the input says how much is put right before: 0 nothing, else the segment's
 * header, the marks and the checksums of records that the input makes at least look like some. Then
 * the file is read beside a running service, opened for writing, appended to and read again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "fuzz.h"
#include "journal/journal.h"
#include "journal/journal_format.h"
#include "journal/journal_reader.h"

static char directory[100];
static const struct segment_header header = {.uuid = "fuzzfuzzfuzzfuz", .first_sequence = 1};

static const char *path_of(const char *name)
{
    static char path[400];
    snprintf(path, sizeof(path), "%s/%.255s", directory, name);
    return path;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void) status;
    (void) type;
    return walk->level == 0 ? 0 : remove(path);
}

static void start_over(void)
{
    if (directory[0] == '\0') {
        snprintf(directory, sizeof(directory), "%s/mqtt2pg-fuzz-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        if (mkdtemp(directory) == NULL) {
            abort();
        }
        log_configure(&(struct log_options){.level = LOG_ERROR});
    }
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Makes records of what has the length of one. */
static void put_right(uint8_t *bytes, size_t size)
{
    struct buf record = {0};
    uint64_t seed = record_seed(&header);
    uint64_t sequence = 0;
    segment_header_encode(bytes, &header);
    for (size_t at = JOURNAL_SEGMENT_HEADER_BYTES; at + JOURNAL_RECORD_BYTES_MIN <= size;) {
        size_t payload = bytes[at];
        sequence += bytes[at + 1] == 7 ? 2 : 1; /* sometimes one is missing */
        struct message message = {
            .kind = (enum message_kind)(1 + bytes[at + 4] % 5), /* also unknown ones */
            .broker = bytes[at + 5] % (MESSAGE_BROKER_MAX + 1),
            .sequence = sequence,
            .topic = slice_make((const char *) bytes + at, bytes[at + 2] % 16),
            .payload = slice_make((const char *) bytes + at, payload),
        };
        size_t whole = record_size(&message);
        bool right = bytes[at + 3] % 4 != 0;
        if (whole > size - at) {
            break;
        }
        if (right) {
            record.length = 0;
            record_encode(&record, &message, seed);
            memcpy(bytes + at, record.data, whole);
        }
        at += whole;
    }
    buf_fini(&record);
}

static void write_segment(const uint8_t *data, size_t size)
{
    int fd = open(path_of("00000000000000000001.segment"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                  0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t) size) {
        abort();
    }
    close(fd);
}

/* Reads it all; returns how many messages there are. */
static uint64_t read_all(struct journal *journal)
{
    struct journal_next next;
    enum journal_read read;
    uint64_t count = 0;
    uint64_t before = 0;
    struct journal_reader *reader = journal_reader_new(journal);
    if (journal_reader_seek(reader, 1, &next.error) != OUTCOME_OK) {
        abort();
    }
    while ((read = journal_reader_next(reader, &next)) != JOURNAL_READ_END) {
        if (read == JOURNAL_READ_FAILED ||
            (read == JOURNAL_READ_MESSAGE && next.message.sequence <= before)) {
            abort();
        }
        if (read == JOURNAL_READ_MESSAGE) {
            before = next.message.sequence;
            count++;
        }
    }
    journal_reader_free(reader);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error;
    struct journal *journal = NULL;
    struct journal_options options = {.directory = directory,
                                      .max_bytes = JOURNAL_BYTES_MIN,
                                      .sync_ms = JOURNAL_SYNC_NEVER,
                                      .keep_ms = 3600000,
                                      .read_only = true};
    uint64_t found = 0;
    if (size < 1) {
        return 0;
    }
    start_over();
    uint8_t *bytes = malloc(size);
    memcpy(bytes, data, size);
    if (data[0] != 0 && size > 1 + JOURNAL_SEGMENT_HEADER_BYTES) {
        put_right(bytes + 1, size - 1);
    }
    write_segment(bytes + 1, size - 1);
    free(bytes);

    if (journal_open(&journal, &options, &error) == OUTCOME_OK) {
        found = read_all(journal);
        journal_close(journal);
    }
    options.read_only = false;
    if (journal_open(&journal, &options, &error) == OUTCOME_OK) {
        struct message message = {.kind = MESSAGE_PUBLISH};
        if (read_all(journal) < found || journal_append(journal, &message, &error) != OUTCOME_OK ||
            read_all(journal) < found + 1) {
            abort(); /* writable must find what read-only found, and one more */
        }
        journal_close(journal);
    }
    return 0;
}
