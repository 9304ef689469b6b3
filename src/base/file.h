/*
 * file: reading, writing and syncing files as a journal needs it: all bytes or an error,
 * directories synced.
 *
 * Each function has a fault point named after it: "file.write", "file.sync_directory", …
 * (base/fault.h). A function that fails leaves errno as it was at the failure, for callers that
 * must recognize ENOENT.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_FILE_H
#define MQTT2PG_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/outcome.h"

/* Writes all bytes at `offset`, and continues after short writes and EINTR. OUTCOME_RETRY when the
 * disk or quota is full (ENOSPC, EDQUOT, EFBIG), else OUTCOME_FATAL. What was written before the
 * error stays. */
enum outcome file_write(int fd, const void *data, size_t length, int64_t offset,
                        struct error *error) MUST_CHECK;

/* Reads up to `length` bytes at `offset`; fewer only at the end of the file.
 * Returns how many, or -1 with `error` filled. */
ssize_t file_read(int fd, void *data, size_t length, int64_t offset,
                  struct error *error) MUST_CHECK;

/* Where file_read_around() reads from and to. */
struct file_span {
    void *data;
    size_t length;
    int64_t offset;
};

/* As file_read(), for bytes that carry checksums: a page that the disk can't read (EIO) is filled
 * with bytes other than zero, and its bytes are counted in *unreadable. So a bad sector costs its
 * own records and not the whole file. */
ssize_t file_read_around(int fd, struct file_span span, int64_t *unreadable,
                         struct error *error) MUST_CHECK;
#define FILE_PAGE_BYTES 4096

/* fdatasync. A failure is OUTCOME_FATAL and final: the kernel has dropped the
 * dirty pages, so a second call that succeeds would prove nothing. */
enum outcome file_sync(int fd, struct error *error) MUST_CHECK;

/* Makes names created, renamed or removed in the directory durable. */
enum outcome file_sync_directory(int directory_fd, struct error *error) MUST_CHECK;

/* Reserves `length` bytes from the start so that later writes need no new
 * blocks. OUTCOME_RETRY when there is no room. A file system without
 * fallocate(2) is no error. */
enum outcome file_reserve(int fd, int64_t length, struct error *error) MUST_CHECK;

/* Replaces `name` in the directory by these bytes: a temporary file, synced,
 * renamed, directory synced. Mode 0600. */
enum outcome file_replace(int directory_fd, const char *name, struct slice content,
                          struct error *error) MUST_CHECK;

/*
 * openat(2) for a file that this program made: O_CLOEXEC, and never waiting. Returns the
 * descriptor, or -1 with errno; EINVAL for what is no regular file: a FIFO in its place would make
 * an ordinary open wait for ever.
 */
int file_open_regular(int directory_fd, const char *name, int flags);

/* As file_load(), for a file that this program made: OUTCOME_FATAL when it is no regular file. */
enum outcome file_load_regular(const char *path, size_t bytes_max, struct buf *out,
                               struct error *error) MUST_CHECK;

/* Appends the whole file to `out`. For a file that a user names; it may be a pipe with a secret.
 * OUTCOME_FATAL, with nothing appended, when it cannot be read or has more than `bytes_max`. */
enum outcome file_load(const char *path, size_t bytes_max, struct buf *out,
                       struct error *error) MUST_CHECK;

/* Makes the directory (mode 0700) and its missing parents. */
enum outcome file_make_directory(const char *path, struct error *error) MUST_CHECK;

/* Does the open file or directory still have a name? False when it was deleted: whatever is written
 * into it vanishes when its last descriptor is closed. */
bool file_has_name(int fd);

/* The free bytes of the file's file system that this process may use; INT64_MAX when unknown. */
int64_t file_room(int fd);

#endif
