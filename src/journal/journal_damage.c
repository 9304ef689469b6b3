/* SPDX-License-Identifier: MIT */
#include "journal/journal_damage.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "journal/segment.h"

/* unreadable is the number of bytes that the disk could not read; the copy has fill bytes there. */
static enum outcome copy_bytes(int to_fd, const struct journal_damage *damage, int64_t *unreadable,
                               struct error *error)
{
    int64_t from = damage->from;
    int64_t to = damage->to;
    enum outcome outcome = OUTCOME_OK;
    size_t chunk = 64 * 1024;
    char *bytes = memory_alloc(chunk);
    for (int64_t at = from; at < to && outcome == OUTCOME_OK;) {
        size_t wanted = to - at < (int64_t) chunk ? (size_t) (to - at) : chunk;
        int64_t bad;
        ssize_t got =
            file_read_around(damage->fd, (struct file_span){bytes, wanted, at}, &bad, error);
        if (got <= 0) {
            outcome = got < 0 ? OUTCOME_FATAL : OUTCOME_OK;
            break;
        }
        outcome = file_write(to_fd, bytes, (size_t) got, at - from, error);
        at += got;
        *unreadable += bad;
    }
    free(bytes);
    return outcome == OUTCOME_OK ? file_sync(to_fd, error) : outcome;
}

void journal_keep_damage(const struct journal *journal, const struct journal_damage *damage)
{
    struct error error = {0};
    char segment[SEGMENT_NAME_BYTES];
    int64_t unreadable = 0;
    assert(damage->fd >= 0 && damage->from < damage->to);
    segment_name(segment, damage->segment);
    char *name = memory_printf("%s/%s-%" PRId64 "-%" PRId64, JOURNAL_DAMAGED_NAME, segment,
                               damage->from, damage->to);
    int copy = -1;
    if (mkdirat(journal->directory_fd, JOURNAL_DAMAGED_NAME, 0700) == 0 || errno == EEXIST) {
        copy = openat(journal->directory_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    }
    if (copy < 0 && errno == EEXIST) {
        goto done; /* reported before */
    }
    if (copy < 0) {
        error_errno(&error, OUTCOME_RETRY, "could not create it");
    } else if (copy_bytes(copy, damage, &unreadable, &error) != OUTCOME_OK) {
        unlinkat(journal->directory_fd, name, 0);
    }
    LOG_LINE(damage->level, damage->event, F_TEXT("segment", segment),
             F_INT("offset", damage->from), F_INT("bytes", damage->to - damage->from),
             F_INT("unreadable", unreadable), F_TEXT("copy", name),
             F_TEXT("copy_error", error.text), LOG_FIELDS_END);
done:
    if (copy >= 0) {
        close(copy);
    }
    free(name);
}
