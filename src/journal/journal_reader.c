/*
 * A reader finds segments by their first sequences, never by pointers: while the reader works on
 * its own descriptor, the list may grow at the end and shrink at the front.
 *
 * Holes are found in one place: when a sound record comes whose number is not the expected one, or
 * when there are no more records although higher numbers were given. Numbers that segment headers
 * say were skipped are not missing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "journal/journal_reader.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/metrics.h"
#include "journal/journal_damage.h"
#include "journal/journal_state.h"
#include "journal/segment.h"
#include "journal/segment_scan.h"

struct journal_reader {
    struct journal *journal; /* borrowed */
    bool quiet;              /* neither copies nor counts damage */
    uint64_t position;       /* sequence that comes next */
    int64_t before_us;       /* received_at of the message before; 0 = not known */
    uint64_t skipped; /* numbers between position and the next record that were never given */

    int fd;           /* of the segment that is being read; -1 = none */
    uint64_t segment; /* its first sequence */
    uint64_t after;   /* segments up to this first sequence are done with */
    struct segment_scan scan;

    bool pending; /* `message` has been read but not yet handed out */
    struct message message;
};

struct journal_reader *journal_reader_new(struct journal *journal)
{
    struct journal_reader *reader = memory_alloc(sizeof(*reader));
    reader->journal = journal;
    reader->quiet = journal->options.read_only;
    reader->position = journal_first(journal);
    reader->fd = -1;
    reader->scan.fd = -1;
    return reader;
}

struct journal_reader *journal_reader_new_quiet(struct journal *journal)
{
    struct journal_reader *reader = journal_reader_new(journal);
    reader->quiet = true;
    return reader;
}

static void leave_segment(struct journal_reader *reader)
{
    if (reader->fd >= 0) {
        close(reader->fd);
    }
    reader->fd = -1;
    reader->pending = false;
}

void journal_reader_free(struct journal_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    leave_segment(reader);
    segment_scan_fini(&reader->scan);
    free(reader);
}

uint64_t journal_reader_position(const struct journal_reader *reader)
{
    return reader->position;
}

struct journal_place journal_reader_place(const struct journal_reader *reader)
{
    const struct segment_scan *scan = &reader->scan;

    return (struct journal_place){
        .sequence = reader->position,
        .segment = reader->fd < 0 || reader->position < reader->segment ? 0 : reader->segment,
        .offset = reader->pending ? scan->record_offset : scan->offset,
    };
}

/* With the lock. Index of the only segment that may have `sequence`; 0 when all segments are
 * newer. */
static size_t find_segment(const struct journal *journal, uint64_t sequence)
{
    size_t low = 0;
    size_t high = journal->segment_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (journal->segments[middle].first_sequence <= sequence) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

enum outcome journal_reader_seek(struct journal_reader *reader, uint64_t sequence,
                                 struct error *error)
{
    struct journal *journal = reader->journal;
    sequence = sequence == 0 ? 1 : sequence;
    if (sequence > journal_last(journal) + 1) {
        return error_set(error, OUTCOME_FATAL,
                         "position %llu is not of this journal, whose newest message is %llu",
                         (unsigned long long) sequence, (unsigned long long) journal_last(journal));
    }
    pthread_mutex_lock(&journal->lock);
    size_t index = find_segment(journal, sequence);
    bool here = reader->fd >= 0 && index < journal->segment_count &&
                journal->segments[index].first_sequence == reader->segment &&
                sequence >= reader->segment;
    pthread_mutex_unlock(&journal->lock);

    if (!here || sequence < reader->position) {
        leave_segment(reader);
        reader->after = 0;
    } else if (reader->pending && reader->message.sequence < sequence) {
        reader->pending = false;
    }
    if (sequence != reader->position) {
        reader->before_us = 0;
    }
    reader->position = sequence;
    /* The skipped numbers that are noted come before the open segment; others will be found
     * again. */
    reader->skipped = 0;
    return OUTCOME_OK;
}

/* --- holes --- */

/* Counts missing messages in the metric, but only once for all readers and passes. */
static void count_damage(struct journal *journal, const struct journal_missing *missing)
{
    uint64_t end = missing->first + missing->count;
    pthread_mutex_lock(&journal->lock);
    uint64_t from =
        missing->first > journal->damage_counted ? missing->first : journal->damage_counted;
    uint64_t fresh = end > from ? end - from : 0;
    journal->damage_counted = end > journal->damage_counted ? end : journal->damage_counted;
    pthread_mutex_unlock(&journal->lock);
    metric_add(METRIC_JOURNAL_DAMAGED, (int64_t) fresh);
}

static uint64_t deleted_to(struct journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    uint64_t deleted = journal->deleted;
    pthread_mutex_unlock(&journal->lock);
    return deleted;
}

/* Moves the position up to `end`; `to_us` is the time of the message there. True when messages are
 * missing on the way; then `missing` says which. Deleted and damaged messages are two holes: the
 * next call finds the second one. */
static bool pass_hole(struct journal_reader *reader, uint64_t end, int64_t to_us,
                      struct journal_missing *missing)
{
    uint64_t deleted = reader->position < end ? deleted_to(reader->journal) : 0;
    while (reader->position < end) {
        bool gone = reader->position <= deleted;
        uint64_t to = gone && deleted + 1 < end ? deleted + 1 : end;
        uint64_t numbers = to - reader->position;
        /* The skipped numbers that are known from headers come after the deleted ones. */
        uint64_t skipped = to < end ? 0 : reader->skipped < numbers ? reader->skipped : numbers;
        assert(reader->position < to && to <= end); /* each round makes progress */
        *missing = (struct journal_missing){
            .first = reader->position,
            .count = numbers - skipped,
            .from_us = reader->before_us,
            .to_us = to_us,
            .deleted = gone,
        };
        if (gone) {
            /* The headers that say how many numbers were skipped after a power loss may be deleted,
             * too. */
            missing->count %= JOURNAL_SKIP_AFTER_POWER_LOSS;
        }
        reader->skipped -= skipped;
        reader->position = to;
        if (missing->count == 0) {
            continue;
        }
        if (!gone && !reader->quiet) {
            count_damage(reader->journal, missing);
        }
        return true;
    }
    return false;
}

/* --- from segment to segment --- */

/* With the lock. The index of the first segment that is not yet read and may hold the position;
 * segment_count when there is none. */
static size_t next_segment(const struct journal_reader *reader)
{
    const struct journal *journal = reader->journal;
    size_t index = find_segment(journal, reader->position);
    while (index < journal->segment_count &&
           journal->segments[index].first_sequence <= reader->after) {
        index++;
    }
    return index;
}

/* Notes the numbers before this segment that were never given. */
static void pass_skipped(struct journal_reader *reader, const struct journal_segment *segment)
{
    uint64_t first = segment->first_sequence;
    if (reader->position >= first) {
        return;
    }
    if (reader->position >= first - segment->skipped) {
        reader->position = first;
        reader->skipped = 0;
    } else {
        reader->skipped += segment->skipped;
    }
}

/* With the lock. Passes over a segment that is in our list but not on disk, because the running
 * service has deleted it. */
static void pass_deleted(struct journal_reader *reader, size_t index)
{
    struct journal *journal = reader->journal;
    uint64_t last = journal_segment_last(journal, index);
    if (journal->options.read_only && last > journal->deleted) {
        journal->deleted = last;
    }
    reader->after = journal->segments[index].first_sequence;
}

/* Opens the next segment. When there is none, no segment is open afterwards. */
static enum outcome enter_segment(struct journal_reader *reader, struct error *error)
{
    struct journal *journal = reader->journal;
    struct journal_segment segment = {0};
    struct journal_place place = {0};
    enum outcome outcome;
    assert(reader->fd < 0 && !reader->pending);
    do {
        pthread_mutex_lock(&journal->lock);
        size_t index = next_segment(reader);
        bool any = index < journal->segment_count;
        if (any) {
            segment = journal->segments[index];
            place = journal->place;
        }
        pthread_mutex_unlock(&journal->lock);
        if (!any) {
            return OUTCOME_OK;
        }
        outcome =
            segment_open(journal->directory_fd, segment.first_sequence, false, &reader->fd, error);
        if (outcome == OUTCOME_RETRY) {
            pthread_mutex_lock(&journal->lock);
            index = find_segment(journal, segment.first_sequence);
            if (index < journal->segment_count &&
                journal->segments[index].first_sequence == segment.first_sequence) {
                pass_deleted(reader, index);
            }
            pthread_mutex_unlock(&journal->lock);
        }
    } while (outcome == OUTCOME_RETRY);

    if (outcome == OUTCOME_OK) {
        struct segment_header header = journal_header(journal, segment.first_sequence);
        assert(segment.first_sequence > reader->after);
        pass_skipped(reader, &segment);
        reader->segment = segment.first_sequence;
        segment_scan_start(&reader->scan, reader->fd, &header, segment.end);
        if (place.segment == reader->segment && place.sequence == reader->position) {
            segment_scan_start_at(&reader->scan, place.offset, place.sequence);
        }
    }
    return outcome;
}

enum segment_end { MORE_RECORDS, MORE_SEGMENTS, NO_MORE };

/* Called when no record is left before the limit: has the segment grown, or is there another one?
 * At the end of the journal, sets *last to the highest number given and *skipped to how many
 * numbers up to it were never given. */
static enum segment_end look_further(struct journal_reader *reader, uint64_t *last,
                                     uint64_t *skipped)
{
    struct journal *journal = reader->journal;
    enum segment_end end = NO_MORE;
    pthread_mutex_lock(&journal->lock);
    size_t index = find_segment(journal, reader->segment);
    bool listed = reader->fd >= 0 && index < journal->segment_count &&
                  journal->segments[index].first_sequence == reader->segment;
    int64_t limit = listed ? journal->segments[index].end : -1;
    *last = journal->last;
    *skipped = journal->skipped;
    if (reader->fd < 0) {
        end = next_segment(reader) < journal->segment_count ? MORE_SEGMENTS : NO_MORE;
    } else if (listed && limit > reader->scan.limit) {
        end = MORE_RECORDS;
    } else if (!listed || index + 1 < journal->segment_count) {
        end = MORE_SEGMENTS;
    }
    pthread_mutex_unlock(&journal->lock);

    if (reader->fd >= 0 && !listed) {
        /* The segment was sealed and deleted while we read it, so its file ends with its last
         * record. */
        struct error ignored;
        int64_t changed_us;
        if (segment_stat(reader->fd, &limit, &changed_us, &ignored) == OUTCOME_OK &&
            limit > reader->scan.limit) {
            end = MORE_RECORDS;
        }
    }
    if (end == MORE_RECORDS) {
        reader->scan.limit = limit;
    }
    return end;
}

/* --- the next one --- */

/* Hands out the pending message, or the hole before it. */
static enum journal_read deliver(struct journal_reader *reader, struct journal_next *next)
{
    const struct message *message = &reader->message;
    assert(reader->pending && message->sequence >= reader->position);
    if (pass_hole(reader, message->sequence, message->received_at_us, &next->missing)) {
        return JOURNAL_READ_MISSING;
    }
    reader->pending = false;
    reader->position = message->sequence + 1;
    reader->skipped = 0;
    reader->before_us = message->received_at_us;
    next->message = *message;
    return JOURNAL_READ_MESSAGE;
}

/* Called when all records have been read. Given numbers that were not read are missing. */
static enum journal_read finish(struct journal_reader *reader, uint64_t last, uint64_t skipped,
                                struct journal_next *next)
{
    if (reader->position > last) {
        return JOURNAL_READ_END;
    }
    reader->skipped += skipped;
    return pass_hole(reader, last + 1, 0, &next->missing) ? JOURNAL_READ_MISSING : JOURNAL_READ_END;
}

/* The next record of the segment that is open. JOURNAL_READ_END: there is none before the limit. */
static enum journal_read read_record(struct journal_reader *reader, struct error *error)
{
    switch (segment_scan_next(&reader->scan, &reader->message, error)) {
    case SEGMENT_SCAN_RECORD:
        reader->pending = reader->message.sequence >= reader->position;
        return JOURNAL_READ_MESSAGE;
    case SEGMENT_SCAN_DAMAGE:
        if (!reader->quiet) {
            journal_keep_damage(reader->journal,
                                &(struct journal_damage){.event = "journal is damaged",
                                                         .level = LOG_WARN,
                                                         .segment = reader->segment,
                                                         .fd = reader->fd,
                                                         .from = reader->scan.damage_from,
                                                         .to = reader->scan.damage_to});
        }
        return JOURNAL_READ_MESSAGE;
    case SEGMENT_SCAN_FAILED:
        return JOURNAL_READ_FAILED;
    case SEGMENT_SCAN_END:
        break;
    }
    return JOURNAL_READ_END;
}

/* One step towards a pending message. JOURNAL_READ_MESSAGE: look again, a message may be
 * pending. */
static enum journal_read advance(struct journal_reader *reader, struct journal_next *next)
{
    uint64_t last;
    uint64_t skipped;
    enum journal_read read = reader->fd >= 0 ? read_record(reader, &next->error) : JOURNAL_READ_END;
    if (read != JOURNAL_READ_END) {
        return read;
    }
    switch (look_further(reader, &last, &skipped)) {
    case MORE_RECORDS:
        return JOURNAL_READ_MESSAGE;
    case MORE_SEGMENTS:
        if (reader->fd >= 0) {
            reader->after = reader->segment;
        }
        leave_segment(reader);
        return enter_segment(reader, &next->error) == OUTCOME_OK ? JOURNAL_READ_MESSAGE
                                                                 : JOURNAL_READ_FAILED;
    case NO_MORE:
        break;
    }
    return finish(reader, last, skipped, next);
}

enum journal_read journal_reader_next(struct journal_reader *reader, struct journal_next *next)
{
    while (!reader->pending) {
        enum journal_read read = advance(reader, next);
        if (read != JOURNAL_READ_MESSAGE) {
            return read;
        }
    }
    return deliver(reader, next);
}
