/*
 * journal_delete: deletes old segments, the oldest first, when all of a segment is stored and
 * journal.keep has passed, or earlier when room is needed.
 *
 *   keep what journal_deliveries() needs ▶ take it out of the list ▶ write the position ▶ unlink
 *
 * The keeper runs all steps. A segment that can't be deleted is put back into the list.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "journal/journal_internal.h"
#include "journal/journal_state.h"
#include "journal/segment.h"

/* Without the lock. Writes the position before it deletes the file: otherwise a power loss could
 * leave a position that points to deleted messages. A full disk may refuse the position. The
 * segment is deleted all the same, because only that makes room, and the database knows the
 * position. */
static enum outcome delete_file(struct journal *journal, const struct journal_segment *segment,
                                const struct cursor_state *state, struct error *error)
{
    char name[SEGMENT_NAME_BYTES];
    segment_name(name, segment->first_sequence);
    if (cursor_write_synced(&journal->cursor, state, error) == OUTCOME_FATAL) {
        return OUTCOME_FATAL;
    }
    if (FAULT("journal.segment.delete.before") || unlinkat(journal->directory_fd, name, 0) != 0) {
        if (errno != ENOENT) {
            return error_errno(error, OUTCOME_RETRY, "could not delete segment \"%s\"", name);
        }
    }
    (void) FAULT("journal.segment.delete.after");
    return file_sync_directory(journal->directory_fd, error);
}

static void put_back_oldest(struct journal *journal, const struct journal_segment *segment)
{
    struct segment_header header = {.first_sequence = segment->first_sequence};
    journal_add_segment(journal, &header); /* makes the list one longer */
    memmove(journal->segments + 1, journal->segments,
            (journal->segment_count - 1) * sizeof(*journal->segments));
    journal->segments[0] = *segment;
    assert(journal->segment_count > 1 &&
           segment->first_sequence < journal->segments[1].first_sequence);
}

/* With the lock, which it releases meanwhile. Keeps the notes of journal_deliveries() on a
 * segment's messages before other threads can see that the segment is gone. When the disk has no
 * room for the notes, the segment is deleted without them: nothing else would make room. */
static void keep_deliveries(struct journal *journal, uint64_t first, uint64_t last)
{
    struct error error;
    /* A segment whose only record was cut off at a start has no messages. */
    if (first > last || journal_messages_behind(journal, 0) >= journal->options.keep_messages) {
        return;
    }
    pthread_mutex_unlock(&journal->lock);
    enum outcome outcome = deliveries_keep(journal, first, last, &error);
    if (outcome == OUTCOME_FATAL) {
        journal_fail(journal, &error);
    } else if (outcome != OUTCOME_OK) {
        log_warn("no room for notes on deleted messages: what the broker repeats of them may be "
                 "stored twice",
                 F_TEXT("reason", error.text));
    }
    pthread_mutex_lock(&journal->lock);
}

bool journal_delete_oldest(struct journal *journal)
{
    struct error error;
    if (journal->segment_count < 2 || journal->segments[0].stored_ms == NOT_STORED) {
        return false;
    }
    uint64_t last = journal_segment_last(journal, 0);
    keep_deliveries(journal, journal->segments[0].first_sequence, last);
    if (journal->failed || journal->segments[0].stored_ms == NOT_STORED) {
        return false; /* the database has gone back meanwhile */
    }
    struct journal_segment segment = journal->segments[0];
    assert(last < journal->segments[1].first_sequence && last <= journal->stored);
    journal->deleted = last > journal->deleted ? last : journal->deleted;
    struct cursor_state state = journal_cursor_state(journal, false);
    journal->segment_count--;
    memmove(journal->segments, journal->segments + 1,
            journal->segment_count * sizeof(*journal->segments));
    journal_account(journal);
    pthread_mutex_unlock(&journal->lock);

    enum outcome outcome = delete_file(journal, &segment, &state, &error);
    if (outcome == OUTCOME_OK && segment.fd >= 0) {
        close(segment.fd);
    } else if (outcome == OUTCOME_FATAL) {
        journal_fail(journal, &error);
    } else if (outcome == OUTCOME_RETRY) {
        log_warn("could not delete an old segment", F_TEXT("reason", error.text));
    }

    pthread_mutex_lock(&journal->lock);
    if (outcome == OUTCOME_OK) {
        assert(journal->bytes_total >= segment.bytes);
        journal->bytes_total -= segment.bytes;
    } else {
        put_back_oldest(journal, &segment);
        journal->delete_retry_ms = clock_monotonic_ms() + JOURNAL_RETRY_MS;
    }
    journal_account(journal);
    return outcome == OUTCOME_OK;
}

bool journal_deletable(const struct journal *journal)
{
    return journal->segment_count > 1 && journal->segments[0].stored_ms != NOT_STORED &&
           clock_monotonic_ms() >= journal->delete_retry_ms;
}

int64_t journal_deletion_due_ms(const struct journal *journal)
{
    if (journal->segment_count < 2 || journal->segments[0].stored_ms == NOT_STORED) {
        return JOURNAL_NEVER_DUE;
    }
    int64_t due_ms = journal->segments[0].stored_ms + journal->options.keep_ms;
    if (journal_messages_behind(journal, 0) < journal->options.keep_messages) {
        due_ms = JOURNAL_NEVER_DUE;
    }
    if (journal->bytes_total > journal->options.max_bytes) {
        due_ms = 0;
    }
    return due_ms > journal->delete_retry_ms ? due_ms : journal->delete_retry_ms;
}
