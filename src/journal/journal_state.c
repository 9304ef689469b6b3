/* SPDX-License-Identifier: MIT */
#include "journal/journal_state.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"

void journal_fail(struct journal *journal, const struct error *error)
{
    if (atomic_exchange(&journal->failed, true)) {
        return;
    }
    log_error("journal failed, stopping", F_TEXT("directory", journal->directory),
              F_TEXT("reason", error->text));
    stop_request(1);
    pthread_mutex_lock(&journal->lock);
    pthread_cond_broadcast(&journal->room);
    pthread_cond_broadcast(&journal->synced);
    pthread_cond_broadcast(&journal->appended);
    pthread_cond_broadcast(&journal->keeper_wake);
    pthread_mutex_unlock(&journal->lock);
}

bool journal_is_gone(struct journal *journal, int fd)
{
    if (journal->gone || (file_has_name(journal->directory_fd) && (fd < 0 || file_has_name(fd)))) {
        return journal->gone;
    }
    log_error("the journal's files were deleted while they are in use: it takes no more messages, "
              "the broker keeps them; restart to begin a new journal",
              F_TEXT("directory", journal->directory));
    pthread_mutex_lock(&journal->lock);
    journal->gone = true;
    journal_account_room(journal);
    pthread_cond_broadcast(&journal->room);
    pthread_mutex_unlock(&journal->lock);
    return true;
}

uint64_t journal_segment_last(const struct journal *journal, size_t index)
{
    assert(index < journal->segment_count);
    if (index + 1 < journal->segment_count) {
        const struct journal_segment *next = &journal->segments[index + 1];
        return next->first_sequence - 1 - next->skipped;
    }
    return journal->last - journal->skipped;
}

void journal_account_room(struct journal *journal)
{
    bool stuck = journal->disk_short || journal->write_full || journal->gone ||
                 journal->request == REQUEST_REFUSED;
    int64_t used = journal->bytes_waiting;
    if (journal->segment_count > 0 && journal->last > journal->stored) {
        used += journal->segments[journal->segment_count - 1].end;
    }
    assert(used >= 0);
    int64_t left = journal->options.max_bytes - used;
    bool crowded = journal->crowded;
    if (!crowded && (stuck || left < journal->reserve_bytes)) {
        journal->crowded = true;
    } else if (crowded && !stuck && left >= journal->relief_bytes) {
        journal->crowded = false;
    }
}

/* With the lock, in test builds: asserts the invariants of journal_internal.h that can be checked
 * without reading files. journal_account() calls it, and so does every change of the list of
 * segments. */
__attribute__((unused)) static void journal_check(const struct journal *journal)
{
    int64_t bytes = journal->prepared_fd >= 0 ? journal->prepared_bytes : 0;
    assert(journal->skipped <= journal->last);
    assert(journal->deleted <= journal->last);
    assert(!journal->gone || journal->crowded);
    for (size_t i = 0; i < journal->segment_count; i++) {
        const struct journal_segment *segment = &journal->segments[i];
        bool newest = i + 1 == journal->segment_count;
        assert(i == 0 || segment->first_sequence > segment[-1].first_sequence);
        assert(segment->skipped < segment->first_sequence);
        assert(segment->synced <= segment->end);
        assert(segment->end >= JOURNAL_SEGMENT_HEADER_BYTES);
        assert(newest || segment->sealed);
        assert(newest || journal_segment_last(journal, i) >= segment->first_sequence - 1);
        bytes += segment->bytes;
    }
    assert(bytes <= journal->bytes_total || !journal->keeper_runs);
    assert(journal->active.fd < 0 || journal->segment_count > 0);
}

void journal_account(struct journal *journal)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t waiting = 0;
    for (size_t i = 0; i + 1 < journal->segment_count; i++) {
        struct journal_segment *segment = &journal->segments[i];
        if (journal_segment_last(journal, i) > journal->stored) {
            segment->stored_ms = NOT_STORED;
            waiting += segment->bytes;
        } else if (segment->stored_ms == NOT_STORED) {
            segment->stored_ms = now_ms;
            segment->touched = false;
        }
    }
    journal->bytes_waiting = waiting;
    bool any = journal->segment_count > 0 && journal->segments[0].first_sequence <= journal->last;
    journal->first = any ? journal->segments[0].first_sequence : journal->last + 1;
    journal_account_room(journal);
#ifdef FAULT_POINTS
    journal_check(journal);
#endif
}

struct cursor_state journal_cursor_state(const struct journal *journal, bool clean)
{
    struct cursor_state state = {
        .stored = journal->stored,
        .last = journal->last,
        .skipped = journal->skipped,
        .synced = journal->synced_last,
        .deleted = journal->deleted,
        .boot = journal->boot,
        .clean = clean,
    };
    memcpy(state.uuid, journal->uuid, sizeof(state.uuid));
    assert(state.skipped <= state.last);
    return state;
}

enum outcome journal_sync_file(int fd, struct error *error)
{
    if (FAULT("journal.sync.before")) {
        return error_errno(error, OUTCOME_FATAL, "could not sync");
    }
    enum outcome outcome = file_sync(fd, error);
    (void) FAULT("journal.sync.after");
    return outcome;
}

struct journal_segment *journal_add_segment(struct journal *journal,
                                            const struct segment_header *header)
{
    journal->segments = memory_grow(journal->segments, journal->segment_count,
                                    &journal->segment_capacity, sizeof(*journal->segments));
    struct journal_segment *segment = &journal->segments[journal->segment_count++];
    *segment = (struct journal_segment){
        .first_sequence = header->first_sequence,
        .skipped = header->skipped,
        .end = JOURNAL_SEGMENT_HEADER_BYTES,
        .stored_ms = NOT_STORED,
        .fd = -1,
    };
    return segment;
}

struct segment_header journal_header(const struct journal *journal, uint64_t first_sequence)
{
    struct segment_header header = {
        .version = JOURNAL_FORMAT_VERSION,
        .first_sequence = first_sequence,
        .created_at_us = clock_wall_us(),
    };
    memcpy(header.uuid, journal->uuid, sizeof(header.uuid));
    return header;
}

/* --- asked from outside: journal.h --- */

uint64_t journal_last(const struct journal *journal)
{
    return journal->last;
}

uint64_t journal_first(const struct journal *journal)
{
    return journal->first;
}

uint64_t journal_stored(const struct journal *journal)
{
    return journal->stored;
}

const char *journal_uuid(const struct journal *journal)
{
    return journal->uuid_text;
}

/* With the lock. How many numbers of this segment were given to messages. */
static uint64_t messages_in(const struct journal *journal, size_t index)
{
    return journal_segment_last(journal, index) + 1 - journal->segments[index].first_sequence;
}

uint64_t journal_messages_behind(const struct journal *journal, size_t index)
{
    uint64_t messages = 0;
    for (size_t i = index + 1; i < journal->segment_count; i++) {
        messages += messages_in(journal, i);
    }
    return messages;
}

bool journal_lost_power(const struct journal *journal, int64_t *last_us)
{
    *last_us = journal->lost_last_us;
    return journal->lost_power;
}

uint64_t journal_tail(struct journal *journal, uint64_t messages)
{
    uint64_t first = journal->last + 1;
    pthread_mutex_lock(&journal->lock);
    for (size_t i = journal->segment_count; i > 0 && messages > 0; i--) {
        uint64_t here = messages_in(journal, i - 1);
        uint64_t taken = here < messages ? here : messages;
        first = journal_segment_last(journal, i - 1) + 1 - taken;
        messages -= taken;
    }
    pthread_mutex_unlock(&journal->lock);
    assert(first <= journal->last + 1);
    return first;
}

void journal_set_stored(struct journal *journal, uint64_t sequence)
{
    pthread_mutex_lock(&journal->lock);
    if (journal->stored != sequence) {
        journal->stored = sequence;
        journal->cursor_dirty = true;
        journal_account(journal);
        pthread_cond_signal(&journal->keeper_wake);
    }
    pthread_mutex_unlock(&journal->lock);
}

void journal_set_place(struct journal *journal, const struct journal_place *place)
{
    assert(place->segment <= place->sequence);
    pthread_mutex_lock(&journal->lock);
    journal->place = *place;
    pthread_mutex_unlock(&journal->lock);
}
