/* SPDX-License-Identifier: MIT */
#include "journal/journal_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "journal/journal_damage.h"
#include "journal/journal_state.h"
#include "journal/segment.h"

/* --- the files --- */

static int compare_found(const void *left, const void *right)
{
    uint64_t l = ((const struct found *) left)->first_sequence;
    uint64_t r = ((const struct found *) right)->first_sequence;
    return l < r ? -1 : l > r;
}

static enum outcome list_files(struct recovery *recovery, struct error *error)
{
    int directory_fd = recovery->journal->directory_fd;
    int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (directory == NULL) {
        return error_errno(error, OUTCOME_FATAL, "could not list journal \"%s\"",
                           recovery->journal->directory);
    }
    const struct dirent *entry;
    while ((errno = 0, entry = readdir(directory)) != NULL) {
        uint64_t first_sequence;
        if (segment_name_parse(entry->d_name, &first_sequence)) {
            recovery->found = memory_grow(recovery->found, recovery->count, &recovery->capacity,
                                          sizeof(*recovery->found));
            recovery->found[recovery->count++] = (struct found){.first_sequence = first_sequence};
        } else if (recovery_writable(recovery) &&
                   strcmp(entry->d_name, SEGMENT_PREPARED_NAME) == 0) {
            unlinkat(directory_fd, entry->d_name, 0);
        }
    }
    enum outcome outcome = errno == 0
                               ? OUTCOME_OK
                               : error_errno(error, OUTCOME_FATAL, "could not list journal \"%s\"",
                                             recovery->journal->directory);
    closedir(directory);
    if (recovery->count > 1) {
        qsort(recovery->found, recovery->count, sizeof(*recovery->found), compare_found);
    }
    return outcome;
}

static enum outcome read_header(struct recovery *recovery, struct found *found, struct error *error)
{
    uint8_t bytes[JOURNAL_SEGMENT_HEADER_BYTES];
    char name[SEGMENT_NAME_BYTES];
    int fd = -1;
    enum outcome outcome =
        segment_open(recovery->journal->directory_fd, found->first_sequence, false, &fd, error);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    outcome = segment_stat(fd, &found->bytes, &found->changed_us, error);
    if (outcome == OUTCOME_OK) {
        int64_t unreadable;
        ssize_t got =
            file_read_around(fd, (struct file_span){bytes, sizeof(bytes), 0}, &unreadable, error);
        outcome = got < 0 ? OUTCOME_FATAL : OUTCOME_OK;
        found->verdict = got < 0 || unreadable > 0
                             ? FORMAT_DAMAGED
                             : segment_header_decode(bytes, (size_t) got, &found->header);
    }
    close(fd);
    segment_name(name, found->first_sequence);
    if (outcome != OUTCOME_OK) {
        error_prefix(error, "segment \"%s\"", name);
    } else if (found->verdict == FORMAT_NEWER) {
        return error_set(error, OUTCOME_FATAL,
                         "segment \"%s/%s\" was written by a later version of this program",
                         recovery->journal->directory, name);
    } else if (found->verdict == FORMAT_SOUND &&
               found->header.first_sequence != found->first_sequence) {
        /* the name does not match: the file was copied or renamed */
        found->verdict = FORMAT_DAMAGED;
    }
    return outcome;
}

static void remove_found(struct recovery *recovery, size_t index)
{
    recovery->count--;
    memmove(&recovery->found[index], &recovery->found[index + 1],
            (recovery->count - index) * sizeof(*recovery->found));
}

static enum outcome read_headers(struct recovery *recovery, struct error *error)
{
    for (size_t i = 0; i < recovery->count;) {
        enum outcome outcome = read_header(recovery, &recovery->found[i], error);
        if (outcome == OUTCOME_RETRY) {
            remove_found(recovery, i); /* the running service has deleted it meanwhile */
        } else if (outcome != OUTCOME_OK) {
            return outcome;
        } else {
            i++;
        }
    }
    return OUTCOME_OK;
}

/* --- whose journal it is --- */

static void format_uuid(const uint8_t uuid[16], char text[JOURNAL_UUID_TEXT])
{
    char *at = text;
    for (size_t i = 0; i < 16; i++) {
        bool dash = i == 4 || i == 6 || i == 8 || i == 10;
        at += snprintf(at, 4, "%s%02x", dash ? "-" : "", uuid[i]);
    }
}

/* Version 4: random (RFC 9562, section 5.4). */
static enum outcome make_uuid(uint8_t uuid[16], struct error *error)
{
    if (getrandom(uuid, 16, 0) != 16) {
        return error_errno(error, OUTCOME_FATAL, "could not make a uuid");
    }
    uuid[6] = (uint8_t) ((uuid[6] & 0x0f) | 0x40);
    uuid[8] = (uint8_t) ((uuid[8] & 0x3f) | 0x80);
    return OUTCOME_OK;
}

static enum outcome find_uuid(struct recovery *recovery, struct error *error)
{
    struct journal *journal = recovery->journal;
    bool known = recovery->state_found;
    char name[SEGMENT_NAME_BYTES];
    if (known) {
        memcpy(journal->uuid, recovery->state.uuid, sizeof(journal->uuid));
    }
    for (size_t i = recovery->count; i > 0; i--) {
        const struct found *found = &recovery->found[i - 1];
        if (found->verdict != FORMAT_SOUND) {
            continue;
        }
        if (known && memcmp(found->header.uuid, journal->uuid, sizeof(journal->uuid)) != 0) {
            segment_name(name, found->first_sequence);
            return error_set(error, OUTCOME_FATAL, "segment \"%s/%s\" belongs to another journal",
                             journal->directory, name);
        }
        memcpy(journal->uuid, found->header.uuid, sizeof(journal->uuid));
        known = true;
    }
    if (!known && recovery->count > 0 && recovery->found[0].verdict == FORMAT_FOREIGN) {
        segment_name(name, recovery->found[0].first_sequence);
        return error_set(error, OUTCOME_FATAL, "\"%s/%s\" is not a segment of a journal",
                         journal->directory, name);
    }
    if (!known && recovery_writable(recovery) && make_uuid(journal->uuid, error) != OUTCOME_OK) {
        return OUTCOME_FATAL;
    }
    format_uuid(journal->uuid, journal->uuid_text);
    return OUTCOME_OK;
}

/* --- bad headers --- */

/* Rebuilds a lost header: UUID and file name give all but `skipped`. A power loss skips 2^32
 * numbers, and no segment holds that many messages, so whole multiples of 2^32 between two segments
 * were skipped. */
static struct segment_header guess_header(const struct recovery *recovery, size_t index)
{
    const struct found *found = &recovery->found[index];
    struct segment_header header = journal_header(recovery->journal, found->first_sequence);
    header.created_at_us = found->changed_us;
    if (index > 0) {
        uint64_t numbers = found->first_sequence - recovery->found[index - 1].first_sequence;
        /* a multiple of 2^32, for each power loss */
        header.skipped = numbers - numbers % JOURNAL_SKIP_AFTER_POWER_LOSS;
    }
    return header;
}

static enum outcome write_header(struct recovery *recovery, int fd,
                                 const struct segment_header *header, struct error *error)
{
    uint8_t bytes[JOURNAL_SEGMENT_HEADER_BYTES] = {0};
    struct journal_damage damage = {.event = "journal is damaged, a segment's header is made again",
                                    .level = LOG_WARN,
                                    .segment = header->first_sequence,
                                    .fd = fd,
                                    .to = sizeof(bytes)};
    journal_keep_damage(recovery->journal, &damage);
    segment_header_encode(bytes, header);
    enum outcome outcome = file_write(fd, bytes, sizeof(bytes), 0, error);
    return outcome == OUTCOME_OK ? file_sync(fd, error) : OUTCOME_FATAL;
}

/* Sets aside a segment in which no record can be read. An `empty` one, which was just being made
 * when the machine went down, is deleted. */
static enum outcome set_aside(struct recovery *recovery, const struct found *found, bool empty,
                              struct error *error)
{
    char name[SEGMENT_NAME_BYTES];
    char to[sizeof(JOURNAL_DAMAGED_NAME) + SEGMENT_NAME_BYTES];
    int directory_fd = recovery->journal->directory_fd;
    segment_name(name, found->first_sequence);
    snprintf(to, sizeof(to), "%s/%s", JOURNAL_DAMAGED_NAME, name);
    recovery->given_last = recovery_higher(recovery->given_last, found->first_sequence - 1);
    if (!empty) {
        uint64_t records_max = (uint64_t) found->bytes / JOURNAL_RECORD_BYTES_MIN;
        recovery->given_last = recovery_higher(recovery->given_last, found->first_sequence);
        recovery->maybe_last =
            recovery_higher(recovery->maybe_last, found->first_sequence + records_max);
    }
    if (!recovery_writable(recovery)) {
        return OUTCOME_OK;
    }
    int result;
    if (empty) {
        result = unlinkat(directory_fd, name, 0);
    } else {
        log_warn("journal is damaged, a segment is set aside", F_TEXT("segment", name),
                 F_INT("bytes", found->bytes));
        mkdirat(directory_fd, JOURNAL_DAMAGED_NAME, 0700);
        result = renameat(directory_fd, name, directory_fd, to);
    }
    return result == 0
               ? OUTCOME_OK
               : error_errno(error, OUTCOME_FATAL, "could not set aside segment \"%s\"", name);
}

/* Handles a segment whose header is not sound. *kept tells whether the segment stays in the list,
 * with a rebuilt header. */
static enum outcome repair_header(struct recovery *recovery, size_t index, bool *kept,
                                  struct error *error)
{
    struct found *found = &recovery->found[index];
    struct segment_scan *scan = &recovery->scan;
    struct segment_header header = guess_header(recovery, index);
    struct message message;
    int fd = -1;
    enum outcome outcome = segment_open(recovery->journal->directory_fd, found->first_sequence,
                                        recovery_writable(recovery), &fd, error);
    if (outcome != OUTCOME_OK) {
        return OUTCOME_FATAL;
    }
    segment_scan_start(scan, fd, &header, found->bytes);
    enum segment_scan_result result = segment_scan_next(scan, &message, error);
    *kept = result == SEGMENT_SCAN_RECORD || result == SEGMENT_SCAN_DAMAGE;
    if (result == SEGMENT_SCAN_FAILED) {
        outcome = OUTCOME_FATAL;
    } else if (*kept) {
        found->header = header;
        outcome =
            recovery_writable(recovery) ? write_header(recovery, fd, &header, error) : OUTCOME_OK;
    } else {
        bool empty = found->verdict == FORMAT_EMPTY && scan->tail_from == scan->tail_to;
        outcome = set_aside(recovery, found, empty || found->bytes == 0, error);
    }
    close(fd);
    return outcome;
}

static enum outcome repair_headers(struct recovery *recovery, struct error *error)
{
    for (size_t i = 0; i < recovery->count;) {
        bool kept = true;
        if (recovery->found[i].verdict != FORMAT_SOUND &&
            repair_header(recovery, i, &kept, error) != OUTCOME_OK) {
            return OUTCOME_FATAL;
        }
        if (kept) {
            i++;
        } else {
            remove_found(recovery, i);
        }
    }
    return OUTCOME_OK;
}

enum outcome recovery_find_files(struct recovery *recovery, struct error *error)
{
    enum outcome outcome = list_files(recovery, error);
    if (outcome == OUTCOME_OK) {
        outcome = read_headers(recovery, error);
    }
    if (outcome == OUTCOME_OK) {
        outcome = find_uuid(recovery, error);
    }
    if (outcome == OUTCOME_OK) {
        outcome = repair_headers(recovery, error);
    }
    return outcome;
}
