/*
 * journal_info: the figures of a journal while it works: how much waits, since when, and how much
 * room it takes. For the status page, the metrics and `journal info`; any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/journal_reader.h"
#include "journal/journal_state.h"

/* With the lock. Numbers in (stored, last] that were given to messages and not deleted since. */
static uint64_t count_waiting(const struct journal *journal)
{
    uint64_t stored = journal->stored > journal->deleted ? journal->stored : journal->deleted;
    uint64_t last = journal->last - journal->skipped;
    uint64_t waiting = last > stored ? last - stored : 0;
    for (size_t i = 0; i < journal->segment_count && waiting > 0; i++) {
        const struct journal_segment *segment = &journal->segments[i];
        uint64_t before =
            segment->first_sequence - 1; /* the skipped are (before - skipped, before] */
        if (before <= stored || segment->skipped == 0) {
            continue;
        }
        uint64_t skipped = before - stored < segment->skipped ? before - stored : segment->skipped;
        waiting -= skipped < waiting ? skipped : waiting;
    }
    return waiting;
}

/* With the lock. Counts whole segments, because only whole segments are deleted. */
static int64_t sum_waiting_bytes(const struct journal *journal)
{
    int64_t bytes = 0;
    for (size_t i = journal->segment_count; i > 0; i--) {
        bytes += journal->segments[i - 1].bytes;
        if (journal->segments[i - 1].first_sequence <= journal->stored + 1) {
            break;
        }
    }
    return bytes;
}

/* When the message with this number came; 0 when it can't be read. */
static int64_t find_oldest_us(struct journal *journal, uint64_t sequence)
{
    struct journal_reader *reader = journal_reader_new_quiet(journal);
    struct journal_next next;
    enum journal_read read = JOURNAL_READ_FAILED;
    if (journal_reader_seek(reader, sequence, &next.error) == OUTCOME_OK) {
        do {
            read = journal_reader_next(reader, &next);
        } while (read == JOURNAL_READ_MISSING);
    }
    int64_t found_us = read == JOURNAL_READ_MESSAGE ? next.message.received_at_us : 0;
    journal_reader_free(reader);
    return found_us;
}

/* When the oldest waiting message came; 0 when none waits. Reads the disk only when that message
 * has changed. */
static int64_t oldest_us(struct journal *journal, const struct journal_info *info)
{
    uint64_t sequence = info->waiting > 0 ? info->stored + 1 : 0;
    pthread_mutex_lock(&journal->oldest_lock);
    if (sequence == 0) {
        journal->oldest_us = 0;
    } else if (journal->oldest_sequence != sequence) {
        journal->oldest_us = find_oldest_us(journal, sequence);
    }
    journal->oldest_sequence = journal->oldest_us != 0 ? sequence : 0;
    int64_t found_us = journal->oldest_us;
    pthread_mutex_unlock(&journal->oldest_lock);
    return found_us;
}

static void find_set_aside(const struct journal *journal, struct journal_info *info)
{
    int fd =
        openat(journal->directory_fd, JOURNAL_DAMAGED_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        struct stat status;
        if (fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode)) {
            info->set_aside_files++;
            info->set_aside_bytes += (int64_t) status.st_size;
        }
    }
    if (directory != NULL) {
        closedir(directory);
    } else if (fd >= 0) {
        close(fd);
    }
}

void journal_info(struct journal *journal, struct journal_info *info)
{
    *info = (struct journal_info){.max_bytes = journal->options.max_bytes};
    memcpy(info->uuid, journal->uuid_text, sizeof(info->uuid));
    (void) journal_is_gone(journal, -1);
    pthread_mutex_lock(&journal->lock);
    info->first = journal->first;
    info->last = journal->last;
    info->stored = journal->stored;
    info->waiting = count_waiting(journal);
    info->bytes = journal->bytes_total;
    info->waiting_bytes = info->waiting > 0 ? sum_waiting_bytes(journal) : 0;
    info->segments = (unsigned) journal->segment_count;
    info->last_us = journal->last_us;
    info->crowded = journal->crowded;
    info->full = journal->full;
    info->disk_full = journal->disk_short || journal->write_full;
    info->gone = journal->gone;
    pthread_mutex_unlock(&journal->lock);
    find_set_aside(journal, info);
    info->oldest_us = oldest_us(journal, info);
}
