/* SPDX-License-Identifier: MIT */
#include "ack/outbox_file.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "base/bytes.h"
#include "base/file.h"

static const char magic[8] = {'M', 'Q', '2', 'P', 'G', 'A', 'C', 'K'};

enum { VERSION = 1, CHECKED_BYTES = 80 };

/* A file with the acknowledgments of one batch is never near this size. */
#define FILE_BYTES_MAX ((size_t) 4 * 1024 * 1024 * 1024)

static uint64_t checksum(const char *header, struct slice acks)
{
    return XXH3_64bits_withSeed(header, CHECKED_BYTES, XXH3_64bits(acks.data, acks.length));
}

enum outcome outbox_file_write(int directory_fd, const char *name, const struct outbox_file *file,
                               struct slice acks, struct error *error)
{
    struct buf content = {0};
    char header[OUTBOX_HEADER_BYTES] = {0};
    assert((file->count == 0) == (acks.length == 0));
    memcpy(header, magic, sizeof(magic));
    bytes_put_le32(header + 8, VERSION);
    bytes_put_le32(header + 12, file->count);
    memcpy(header + 16, file->journal, OUTBOX_UUID_BYTES);
    bytes_put_le64(header + 56, file->mark.position);
    bytes_put_le64(header + 64, (uint64_t) file->mark.stored_at_us);
    bytes_put_le64(header + 72, acks.length);
    bytes_put_le64(header + CHECKED_BYTES, checksum(header, acks));
    buf_append(&content, header, sizeof(header));
    buf_append_slice(&content, acks);
    enum outcome outcome = file_replace(directory_fd, name, buf_slice(&content), error);
    buf_fini(&content);
    return outcome;
}

static bool header_is_sound(struct slice content)
{
    return content.length >= OUTBOX_HEADER_BYTES &&
           memcmp(content.data, magic, sizeof(magic)) == 0 &&
           bytes_get_le32(content.data + 8) == VERSION &&
           bytes_get_le64(content.data + 72) == content.length - OUTBOX_HEADER_BYTES;
}

enum outcome outbox_file_read(const char *path, struct outbox_file *file, struct buf *content,
                              struct slice *acks, struct error *error)
{
    if (file_load_regular(path, FILE_BYTES_MAX, content, error) != OUTCOME_OK) {
        error->outcome = errno == ENOENT || errno == EIO ? OUTCOME_REJECT : OUTCOME_FATAL;
        return error->outcome;
    }
    struct slice whole = buf_slice(content);
    if (!header_is_sound(whole)) {
        return error_set(error, OUTCOME_REJECT, "\"%s\" is not a sound file of acknowledgments",
                         path);
    }
    *acks = slice_make(whole.data + OUTBOX_HEADER_BYTES, whole.length - OUTBOX_HEADER_BYTES);
    if (bytes_get_le64(whole.data + CHECKED_BYTES) != checksum(whole.data, *acks)) {
        return error_set(error, OUTCOME_REJECT, "\"%s\" is damaged: checksum", path);
    }
    file->count = bytes_get_le32(whole.data + 12);
    file->mark = (struct outbox_mark){bytes_get_le64(whole.data + 56),
                                      (int64_t) bytes_get_le64(whole.data + 64)};
    memcpy(file->journal, whole.data + 16, OUTBOX_UUID_BYTES);
    file->journal[OUTBOX_UUID_BYTES] = '\0';
    return OUTCOME_OK;
}
