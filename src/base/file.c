/* SPDX-License-Identifier: MIT */
#include "base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/memory.h"

/* OUTCOME_RETRY for a full disk, a quota or a limit on file size: the next attempt works once
 * somebody has made room. Any other errno stays: OUTCOME_FATAL. */
static enum outcome outcome_of_errno(void)
{
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? OUTCOME_RETRY : OUTCOME_FATAL;
}

enum outcome file_write(int fd, const void *data, size_t length, int64_t offset,
                        struct error *error)
{
    const char *at = data;
    assert(offset >= 0 && (data != NULL || length == 0));
    if (FAULT("file.write")) {
        return error_errno(error, outcome_of_errno(), "could not write %zu bytes", length);
    }
    while (length > 0) {
        ssize_t written = pwrite(fd, at, length, (off_t) offset);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written == 0) {
            errno = ENOSPC; /* no error, no progress: only a full device does that */
        }
        if (written <= 0) {
            return error_errno(error, outcome_of_errno(), "could not write %zu bytes", length);
        }
        at += written;
        offset += written;
        length -= (size_t) written;
    }
    return OUTCOME_OK;
}

/* pread(2), so that readers share a descriptor without sharing a position. */
ssize_t file_read(int fd, void *data, size_t length, int64_t offset, struct error *error)
{
    size_t done = 0;
    assert(offset >= 0 && (data != NULL || length == 0));
    if (FAULT("file.read")) {
        error_errno(error, OUTCOME_FATAL, "could not read %zu bytes", length);
        return -1;
    }
    while (done < length) {
        ssize_t got =
            pread(fd, (char *) data + done, length - done, (off_t) (offset + (int64_t) done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            error_errno(error, OUTCOME_FATAL, "could not read %zu bytes", length);
            return -1;
        }
        if (got == 0) {
            break;
        }
        done += (size_t) got;
    }
    assert(done <= length);
    return (ssize_t) done;
}

/* Reads from the span's beginning to the end of that page, of the file or of the span, whichever
 * comes first. Returns as file_read_around(). */
static ssize_t read_page_around(int fd, struct file_span span, int64_t *unreadable,
                                struct error *error)
{
    struct stat status;
    size_t page = FILE_PAGE_BYTES - (size_t) (span.offset % FILE_PAGE_BYTES);
    size_t wanted = page < span.length ? page : span.length;
    ssize_t got = file_read(fd, span.data, wanted, span.offset, error);

    assert(wanted > 0 && wanted <= FILE_PAGE_BYTES);
    if (got >= 0 || errno != EIO || fstat(fd, &status) != 0) {
        return got;
    }
    int64_t left = (int64_t) status.st_size - span.offset;
    got = left < (int64_t) wanted ? (ssize_t) (left > 0 ? left : 0) : (ssize_t) wanted;
    memset(span.data, 0xee, (size_t) got);
    *unreadable += got;
    return got;
}

ssize_t file_read_around(int fd, struct file_span span, int64_t *unreadable, struct error *error)
{
    size_t done = 0;
    ssize_t got = file_read(fd, span.data, span.length, span.offset, error);
    *unreadable = 0;
    if (got >= 0 || errno != EIO) {
        return got;
    }
    do {
        got = read_page_around(fd,
                               (struct file_span){.data = (char *) span.data + done,
                                                  .length = span.length - done,
                                                  .offset = span.offset + (int64_t) done},
                               unreadable, error);
        done += got > 0 ? (size_t) got : 0;
    } while (got > 0 && done < span.length);
    assert(done <= span.length && *unreadable <= (int64_t) span.length);
    return got < 0 ? got : (ssize_t) done;
}

enum outcome file_sync(int fd, struct error *error)
{
    if (FAULT("file.sync") || fdatasync(fd) != 0) {
        return error_errno(error, OUTCOME_FATAL, "could not sync");
    }
    return OUTCOME_OK;
}

enum outcome file_sync_directory(int directory_fd, struct error *error)
{
    if (FAULT("file.sync_directory") || fsync(directory_fd) != 0) {
        return error_errno(error, OUTCOME_FATAL, "could not sync directory");
    }
    return OUTCOME_OK;
}

enum outcome file_reserve(int fd, int64_t length, struct error *error)
{
    int result;
    assert(length > 0);
    do {
        /* Not posix_fallocate(3): it writes zeros where the file system cannot reserve. */
        result = FAULT("file.reserve") ? -1 : fallocate(fd, 0, 0, (off_t) length);
    } while (result != 0 && errno == EINTR);

    if (result != 0 && errno != EOPNOTSUPP && errno != ENOSYS) {
        return error_errno(error, outcome_of_errno(), "could not reserve %lld bytes",
                           (long long) length);
    }
    return OUTCOME_OK;
}

/* Writes and syncs the new file; its name is not yet the real one. */
static enum outcome write_whole(int directory_fd, const char *name, struct slice content,
                                struct error *error)
{
    int fd =
        openat(directory_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return error_errno(error, outcome_of_errno(), "could not create file \"%s\"", name);
    }
    enum outcome outcome = file_write(fd, content.data, content.length, 0, error);
    if (outcome == OUTCOME_OK) {
        outcome = file_sync(fd, error);
    }
    if (close(fd) != 0 && outcome == OUTCOME_OK) {
        outcome = error_errno(error, OUTCOME_FATAL, "could not close");
    }
    if (outcome != OUTCOME_OK) {
        error_prefix(error, "file \"%s\"", name);
    }
    return outcome;
}

/* The order is content, sync, rename, sync of the directory: after a power loss the name has either
 * the whole old content or the whole new one. */
enum outcome file_replace(int directory_fd, const char *name, struct slice content,
                          struct error *error)
{
    /* The name is fixed, so the next call overwrites what a crash has left behind. */
    char *temporary = memory_printf("%s.tmp", name);
    enum outcome outcome = write_whole(directory_fd, temporary, content, error);
    if (outcome == OUTCOME_OK &&
        (FAULT("file.replace") || renameat(directory_fd, temporary, directory_fd, name) != 0)) {
        outcome = error_errno(error, outcome_of_errno(), "could not rename file \"%s\" to \"%s\"",
                              temporary, name);
    }
    if (outcome == OUTCOME_OK) {
        outcome = file_sync_directory(directory_fd, error);
    } else {
        unlinkat(directory_fd, temporary, 0);
    }
    free(temporary);
    return outcome;
}

int file_open_regular(int directory_fd, const char *name, int flags)
{
    struct stat status;
    /* O_NONBLOCK keeps the open of a FIFO from waiting; it has no effect on a regular file. */
    int fd = openat(directory_fd, name, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
    if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

/* Reads the file to its end and closes `fd`. A negative `fd` means that opening the file has failed
 * with errno. */
static enum outcome load_from(int fd, const char *path, size_t bytes_max, struct buf *out,
                              struct error *error)
{
    enum outcome outcome = OUTCOME_FATAL;
    size_t start = out->length;
    ssize_t got = 0;
    if (fd < 0 && errno == EINVAL) {
        return error_set(error, OUTCOME_FATAL, "\"%s\" is not a regular file", path);
    }
    if (fd < 0) {
        return error_errno(error, OUTCOME_FATAL, "could not open file \"%s\"", path);
    }
    /* read(2) instead of file_read(): a secret may come out of a pipe, which has no offsets. */
    do {
        char *to = buf_reserve(out, 16384);
        do {
            got = read(fd, to, 16384);
        } while (got < 0 && errno == EINTR);
        out->length += got > 0 ? (size_t) got : 0;
    } while (got > 0 && out->length - start <= bytes_max);

    if (got < 0) {
        error_errno(error, OUTCOME_FATAL, "could not read file \"%s\"", path);
    } else if (out->length - start > bytes_max) {
        errno = EFBIG;
        error_set(error, OUTCOME_FATAL, "file \"%s\" is larger than %zu bytes", path, bytes_max);
    } else {
        outcome = OUTCOME_OK;
    }
    if (outcome != OUTCOME_OK) {
        out->length = start;
    }
    int number = errno;
    close(fd);
    errno = number;
    return outcome;
}

enum outcome file_load(const char *path, size_t bytes_max, struct buf *out, struct error *error)
{
    int fd = FAULT("file.load") ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    return load_from(fd, path, bytes_max, out, error);
}

enum outcome file_load_regular(const char *path, size_t bytes_max, struct buf *out,
                               struct error *error)
{
    int fd = FAULT("file.load") ? -1 : file_open_regular(AT_FDCWD, path, O_RDONLY);
    return load_from(fd, path, bytes_max, out, error);
}

/* One level of file_make_directory(). Syncs the parent of a new directory, where the parent may be
 * opened: otherwise a power loss takes the directory with everything in it. */
static enum outcome make_one_directory(const char *path, struct error *error)
{
    if (FAULT("file.make_directory") || mkdir(path, 0700) != 0) {
        struct stat status;
        if (errno == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
            return OUTCOME_OK;
        }
        if (errno == EEXIST) {
            return error_set(error, outcome_of_errno(), "\"%s\" is not a directory", path);
        }
        return error_errno(error, outcome_of_errno(), "could not make directory \"%s\"", path);
    }
    char *parent = memory_printf("%s/..", path);
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(parent);
    enum outcome outcome = OUTCOME_OK;
    if (fd >= 0) {
        outcome = file_sync_directory(fd, error);
        close(fd);
    }
    return outcome;
}

enum outcome file_make_directory(const char *path, struct error *error)
{
    struct stat status;
    enum outcome outcome = OUTCOME_OK;
    char *part = memory_strdup(path);
    /* From the root down. A parent that exists may belong to somebody else. */
    for (char *slash = strchr(part + (part[0] == '/'), '/'); slash != NULL && outcome == OUTCOME_OK;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (stat(part, &status) != 0) {
            outcome = make_one_directory(part, error);
        }
        *slash = '/';
    }
    if (outcome == OUTCOME_OK) {
        outcome = make_one_directory(path, error);
    }
    free(part);
    return outcome;
}

bool file_has_name(int fd)
{
    struct stat status;
    return fstat(fd, &status) != 0 || status.st_nlink > 0;
}

int64_t file_room(int fd)
{
    struct statvfs disk;
    if (fstatvfs(fd, &disk) != 0) {
        return INT64_MAX;
    }
    return (int64_t) disk.f_bavail * (int64_t) disk.f_frsize;
}
