/* SPDX-License-Identifier: MIT */
#include "journal/segment.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"

enum { NAME_DIGITS = 20 };
static const char name_suffix[] = ".segment";

void segment_name(char name[SEGMENT_NAME_BYTES], uint64_t first_sequence)
{
    assert(first_sequence > 0);
    snprintf(name, SEGMENT_NAME_BYTES, "%0*" PRIu64 "%s", NAME_DIGITS, first_sequence, name_suffix);
}

bool segment_name_parse(const char *name, uint64_t *first_sequence)
{
    if (strspn(name, "0123456789") != NAME_DIGITS || strcmp(name + NAME_DIGITS, name_suffix) != 0) {
        return false;
    }
    errno = 0;
    *first_sequence = strtoull(name, NULL, 10);
    return errno == 0 && *first_sequence > 0 && *first_sequence <= SEGMENT_SEQUENCE_MAX;
}

static enum outcome no_room_or_broken(void)
{
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? OUTCOME_RETRY : OUTCOME_FATAL;
}

enum outcome segment_prepare(int directory_fd, int64_t bytes, int *fd, struct error *error)
{
    enum outcome outcome;
    assert(bytes > JOURNAL_SEGMENT_HEADER_BYTES);
    int made =
        openat(directory_fd, SEGMENT_PREPARED_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (made < 0) {
        return error_errno(error, no_room_or_broken(), "could not create a segment");
    }
    outcome = file_reserve(made, bytes, error);
    if (outcome == OUTCOME_OK && ftruncate(made, (off_t) bytes) != 0) {
        outcome = error_errno(error, no_room_or_broken(),
                              "could not make a segment %" PRId64 " bytes long", bytes);
    }
    if (outcome == OUTCOME_OK) {
        outcome = file_sync(made, error);
    }
    if (outcome != OUTCOME_OK) {
        close(made);
        unlinkat(directory_fd, SEGMENT_PREPARED_NAME, 0);
        error_prefix(error, "new segment");
        return outcome;
    }
    *fd = made;
    return OUTCOME_OK;
}

enum outcome segment_place(int directory_fd, int fd, const struct segment_header *header, bool sync,
                           struct error *error)
{
    char name[SEGMENT_NAME_BYTES];
    uint8_t bytes[JOURNAL_SEGMENT_HEADER_BYTES] = {0};
    segment_name(name, header->first_sequence);
    segment_header_encode(bytes, header);
    enum outcome outcome = file_write(fd, bytes, sizeof(bytes), 0, error);
    if (outcome == OUTCOME_OK && sync) {
        outcome = file_sync(fd, error);
    }
    if (outcome != OUTCOME_OK) {
        error_prefix(error, "header of segment %s", name);
        return outcome;
    }
    if (renameat(directory_fd, SEGMENT_PREPARED_NAME, directory_fd, name) != 0) {
        return error_errno(error, no_room_or_broken(), "could not name a segment \"%s\"", name);
    }
    (void) FAULT("journal.segment.created");
    return OUTCOME_OK;
}

enum outcome segment_seal(int fd, int64_t end, struct error *error)
{
    assert(end >= JOURNAL_SEGMENT_HEADER_BYTES);
    if (ftruncate(fd, (off_t) end) != 0) {
        return error_errno(error, OUTCOME_FATAL, "could not cut a full segment");
    }
    return OUTCOME_OK;
}

enum outcome segment_clear(int fd, int64_t end, int64_t bytes, struct error *error)
{
    assert(end >= JOURNAL_SEGMENT_HEADER_BYTES && end <= bytes);
    if (ftruncate(fd, (off_t) end) != 0) {
        return error_errno(error, OUTCOME_FATAL, "could not cut a segment behind its last record");
    }
    /* A failed reservation is no error: a later write that finds no room is OUTCOME_RETRY. */
    struct error ignored;
    bool reserved =
        ftruncate(fd, (off_t) bytes) == 0 && file_reserve(fd, bytes, &ignored) == OUTCOME_OK;
    (void) reserved;
    return OUTCOME_OK;
}

enum outcome segment_open(int directory_fd, uint64_t first_sequence, bool writable, int *fd,
                          struct error *error)
{
    char name[SEGMENT_NAME_BYTES];
    segment_name(name, first_sequence);
    *fd = file_open_regular(directory_fd, name, writable ? O_RDWR : O_RDONLY);
    if (*fd < 0) {
        return error_errno(error, errno == ENOENT ? OUTCOME_RETRY : OUTCOME_FATAL,
                           "could not open segment \"%s\"", name);
    }
    return OUTCOME_OK;
}

enum outcome segment_stat(int fd, int64_t *bytes, int64_t *changed_us, struct error *error)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return error_errno(error, OUTCOME_FATAL, "could not look at a segment");
    }
    *bytes = (int64_t) status.st_size;
    *changed_us = (int64_t) status.st_mtim.tv_sec * 1000000 + status.st_mtim.tv_nsec / 1000;
    return OUTCOME_OK;
}
