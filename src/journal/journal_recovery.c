/*
 * Recovery: the part of journal_open() that reads the files and makes the journal ready for
 * messages. FORMAT.md, "What recovery does", describes the same steps:
 *
 *   1. read the position file, list the segments, read their headers (journal_files.c)
 *   2. find the journal's UUID; rebuild bad headers or set their segments aside (journal_files.c)
 *   3. read the newest segment to its end and cut off its torn tail
 *   4. find the sequence of the next message
 *   5. write the bytes again that may not be on disk yet, and sync them
 *
 * Recovery logs damage and goes on. It fails after an I/O error, and when the files are of a later
 * version or belong to another journal.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
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
#include "journal/journal_files.h"
#include "journal/journal_state.h"
#include "journal/segment.h"

/* --- the newest segment --- */

static void add_segments(struct recovery *recovery)
{
    struct journal *journal = recovery->journal;
    for (size_t i = 0; i < recovery->count; i++) {
        const struct found *found = &recovery->found[i];
        struct journal_segment *segment = journal_add_segment(journal, &found->header);
        segment->bytes = found->bytes;
        segment->end = found->bytes > segment->end ? found->bytes : segment->end;
        segment->synced = segment->end;
        segment->sealed = true;
        journal->bytes_total += segment->bytes;
    }
}

/* Reads the newest segment to its end. Leaves damage in the middle as it is: the journal's reader
 * skips the damaged bytes and reports them. */
static enum outcome scan_newest(struct recovery *recovery, int fd, struct error *error)
{
    struct journal *journal = recovery->journal;
    const struct found *newest = &recovery->found[recovery->count - 1];
    struct segment_scan *scan = &recovery->scan;
    struct message message;
    enum segment_scan_result result;
    assert(newest->verdict == FORMAT_SOUND || newest->header.first_sequence > 0);
    segment_scan_start(scan, fd, &newest->header, newest->bytes);
    recovery->sound_last = newest->first_sequence - 1;
    do {
        result = segment_scan_next(scan, &message, error);
        if (result == SEGMENT_SCAN_RECORD) {
            recovery->sound_last = message.sequence;
            journal->last_us = message.received_at_us;
        } else if (result == SEGMENT_SCAN_DAMAGE && recovery_writable(recovery)) {
            log_warn("journal is damaged: the records before and after the damage are kept",
                     F_INT("segment", newest->first_sequence), F_INT("offset", scan->damage_from),
                     F_INT("bytes", scan->damage_to - scan->damage_from));
        }
    } while (result == SEGMENT_SCAN_RECORD || result == SEGMENT_SCAN_DAMAGE);
    return result == SEGMENT_SCAN_FAILED ? OUTCOME_FATAL : OUTCOME_OK;
}

/*
 * The highest sequence that a message certainly had, by the position file. When `stored` equals
 * `last`, it may be one of the skipped sequences, so only `last - skipped` is certain.
 */
static uint64_t given_by_cursor(const struct cursor_state *state)
{
    uint64_t given = state->last - state->skipped;
    return state->stored > state->last ? state->stored : given;
}

/* Cuts off the bytes behind the last sound record, so that they never look like a record again.
 * First copies the bytes into damaged/, unless they are a record that a killed process did not
 * finish writing. */
static enum outcome cut_tail(struct recovery *recovery, int fd, struct error *error)
{
    const struct segment_scan *scan = &recovery->scan;
    struct journal *journal = recovery->journal;
    struct journal_segment *segment = &journal->segments[journal->segment_count - 1];
    assert(scan->tail_from < scan->tail_to && scan->tail_from <= segment->bytes);
    uint64_t bytes = (uint64_t) (scan->tail_to - scan->tail_from);
    uint64_t records_max = (bytes + JOURNAL_RECORD_BYTES_MIN - 1) / JOURNAL_RECORD_BYTES_MIN;
    recovery->maybe_last =
        recovery_higher(recovery->maybe_last, recovery->sound_last + records_max);
    struct journal_damage damage = {.event = "journal ended in an unfinished record, cut off",
                                    .level = LOG_INFO,
                                    .segment = segment->first_sequence,
                                    .fd = fd,
                                    .from = scan->tail_from,
                                    .to = scan->tail_to};
    if (given_by_cursor(&recovery->state) <= recovery->sound_last &&
        segment_scan_unfinished(&recovery->scan)) {
        log_info(damage.event, F_INT("segment", damage.segment), F_INT("offset", damage.from),
                 F_INT("bytes", damage.to - damage.from));
    } else {
        journal_keep_damage(journal, &damage);
    }
    enum outcome outcome = segment_seal(fd, scan->tail_from, error);
    if (outcome == OUTCOME_OK) {
        outcome = file_sync(fd, error);
    }
    journal->bytes_total -= segment->bytes - scan->tail_from;
    segment->bytes = scan->tail_from;
    return outcome;
}

static enum outcome recover_newest(struct recovery *recovery, struct error *error)
{
    struct journal *journal = recovery->journal;
    int fd = -1;
    if (recovery->count == 0) {
        return OUTCOME_OK;
    }
    struct journal_segment *newest = &journal->segments[journal->segment_count - 1];
    enum outcome outcome = segment_open(journal->directory_fd, newest->first_sequence,
                                        recovery_writable(recovery), &fd, error);
    if (outcome == OUTCOME_OK) {
        outcome = scan_newest(recovery, fd, error);
    }
    if (outcome == OUTCOME_OK) {
        newest->end = recovery->scan.offset;
        newest->synced = newest->end;
    }
    if (outcome == OUTCOME_OK && recovery_writable(recovery) &&
        recovery->scan.tail_from < recovery->scan.tail_to) {
        outcome = cut_tail(recovery, fd, error);
    }
    if (outcome == OUTCOME_OK && recovery_writable(recovery)) {
        newest->fd = fd; /* continue_newest() may append to it */
    } else if (fd >= 0) {
        close(fd);
    }
    return outcome == OUTCOME_OK ? OUTCOME_OK : OUTCOME_FATAL;
}

/* --- the numbers --- */

/* Finds the sequences: the highest one that a message certainly had (given_last) and the highest
 * one that a message may have had (journal->last). FORMAT.md, "Numbers", has the reasons. */
static void find_numbers(struct recovery *recovery)
{
    struct journal *journal = recovery->journal;
    const struct cursor_state *state = &recovery->state;
    bool brand_new = !recovery->state_found && recovery->count == 0 && recovery->given_last == 0;
    uint64_t known = recovery_higher(recovery->given_last, given_by_cursor(state));
    uint64_t given = recovery->sound_last;
    if (known > given) {
        /* Each power loss skips 2^32 sequences, and no segment holds that many messages. So whole
         * multiples of 2^32 were skipped, and only the remainder is missing. */
        given += (known - given) % JOURNAL_SKIP_AFTER_POWER_LOSS;
    }
    uint64_t maybe = recovery_higher(recovery_higher(known, given),
                                     recovery_higher(recovery->maybe_last, state->last));

    bool as_closed = recovery->state_found && state->clean && recovery->sound_last <= state->last;
    bool same_boot = recovery->state_found && state->boot != 0 && state->boot == journal->boot;
    recovery->power_loss = recovery_writable(recovery) && !brand_new && !as_closed && !same_boot;
    if (recovery->power_loss) {
        maybe += JOURNAL_SKIP_AFTER_POWER_LOSS;
        log_warn("journal was not closed before the machine stopped; what was not synced is lost",
                 F_TEXT("directory", journal->directory), F_INT("last", recovery->sound_last));
    }
    if (given > recovery->sound_last && recovery->count > 0 && recovery_writable(recovery)) {
        log_warn("journal is damaged, its newest messages are missing",
                 F_INT("first", recovery->sound_last + 1),
                 F_INT("messages", given - recovery->sound_last));
    }
    journal->lost_power = recovery->power_loss && journal->options.sync_ms != JOURNAL_SYNC_ALWAYS;
    journal->lost_last_us = journal->last_us;
    assert(recovery->sound_last <= given && given <= maybe);
    recovery->given_last = given;
    journal->last = maybe;
    journal->skipped = maybe - given;
    journal->stored = state->stored;
    journal->deleted = state->deleted;
    journal->synced_last = maybe;
}

/* Gives a segment of an earlier version the newest version's header, before a record is appended to
 * it. The records stay unchanged, because they mean the same in all versions so far. */
static enum outcome raise_version(int fd, const struct segment_header *header, struct error *error)
{
    uint8_t bytes[JOURNAL_SEGMENT_HEADER_BYTES] = {0};
    if (header->version == JOURNAL_FORMAT_VERSION) {
        return OUTCOME_OK;
    }
    segment_header_encode(bytes, header);
    enum outcome outcome = file_write(fd, bytes, sizeof(bytes), 0, error);
    return outcome == OUTCOME_OK ? file_sync(fd, error) : OUTCOME_FATAL;
}

/* Continues the newest segment when the next message's sequence directly follows its last one. */
static enum outcome continue_newest(struct recovery *recovery, struct error *error)
{
    struct journal *journal = recovery->journal;
    if (recovery->count == 0 || !recovery_writable(recovery) ||
        journal->last != recovery->sound_last) {
        return OUTCOME_OK;
    }
    struct journal_segment *newest = &journal->segments[journal->segment_count - 1];
    const struct segment_header *header = &recovery->found[recovery->count - 1].header;
    assert(newest->fd >= 0 && journal->skipped == 0);
    newest->sealed = false;
    journal->active.fd = newest->fd;
    journal->active.offset = newest->end;
    journal->active.bytes = newest->bytes;
    journal->active.seed = record_seed(header);
    return raise_version(newest->fd, header, error);
}

/* --- durable --- */

/*
 * A failed sync ends the process. The kernel may then hold bytes that are not on disk and take them
 * for written, so that a later sync proves nothing. This function reads the bytes and writes them
 * again, so that its own sync covers them.
 */
static enum outcome rewrite(int fd, int64_t end, struct error *error)
{
    enum outcome outcome = OUTCOME_OK;
    size_t chunk = 256 * 1024;
    char *bytes = memory_alloc(chunk);
    for (int64_t at = 0; at < end && outcome == OUTCOME_OK;) {
        size_t wanted = end - at < (int64_t) chunk ? (size_t) (end - at) : chunk;
        int64_t unreadable;
        ssize_t got =
            file_read_around(fd, (struct file_span){bytes, wanted, at}, &unreadable, error);
        if (got > FILE_PAGE_BYTES && unreadable > 0) { /* page by page, without bad pages */
            got = file_read_around(fd, (struct file_span){bytes, FILE_PAGE_BYTES, at}, &unreadable,
                                   error);
        }
        if (got <= 0) {
            outcome = got < 0 ? OUTCOME_FATAL : OUTCOME_OK;
            break;
        }
        if (unreadable == 0) {
            outcome = file_write(fd, bytes, (size_t) got, at, error);
        }
        at += got;
    }
    free(bytes);
    return outcome == OUTCOME_OK ? file_sync(fd, error) : OUTCOME_FATAL;
}

static enum outcome make_durable(struct recovery *recovery, struct error *error)
{
    struct journal *journal = recovery->journal;
    const struct cursor_state *state = &recovery->state;
    enum outcome outcome = OUTCOME_OK;
    bool doubtful = !recovery->state_found || (!state->clean && !recovery->power_loss);
    if (!doubtful || journal->options.sync_ms == JOURNAL_SYNC_NEVER) {
        return OUTCOME_OK;
    }
    /* Without a position file `synced` is unknown: rewrite the two newest segments. */
    size_t from = recovery->count > 2 && !recovery->state_found ? recovery->count - 2 : 0;
    for (size_t i = from; i < recovery->count && outcome == OUTCOME_OK; i++) {
        struct journal_segment *segment = &journal->segments[i];
        int fd = segment->fd;
        if (recovery->state_found && journal_segment_last(journal, i) <= state->synced) {
            continue;
        }
        if (fd < 0) {
            outcome =
                segment_open(journal->directory_fd, segment->first_sequence, true, &fd, error);
        }
        if (outcome == OUTCOME_OK) {
            outcome = rewrite(fd, segment->end, error);
        }
        if (fd >= 0 && fd != segment->fd) {
            close(fd);
        }
    }
    return outcome == OUTCOME_OK ? OUTCOME_OK : OUTCOME_FATAL;
}

/* Writes `clean = false` into the position file before anything is appended. Otherwise the file
 * could still say `clean` after a power loss, and nobody would notice that messages are lost. */
static enum outcome mark_open(struct journal *journal, struct error *error)
{
    struct cursor_state state = journal_cursor_state(journal, false);
    enum outcome outcome = cursor_reserve(&journal->cursor, error);
    if (outcome == OUTCOME_OK) {
        outcome = cursor_write_synced(&journal->cursor, &state, error);
    }
    if (outcome == OUTCOME_OK) {
        outcome = deliveries_open(journal, error);
    }
    return outcome == OUTCOME_OK ? file_sync_directory(journal->directory_fd, error) : outcome;
}

/* Sets `stored_ms` of the segments that are stored completely, by the modification times of their
 * files. Measures a segment's age up to the newest segment's modification time and not up to now: a
 * wrong clock after a start must not delete all segments at once. */
static void find_stored(struct recovery *recovery)
{
    struct journal *journal = recovery->journal;
    int64_t until_us = clock_wall_us();
    int64_t now_ms = clock_monotonic_ms();
    if (recovery->count > 0 && recovery->found[recovery->count - 1].changed_us < until_us) {
        until_us = recovery->found[recovery->count - 1].changed_us;
    }
    for (size_t i = 0; i + 1 < journal->segment_count; i++) {
        struct journal_segment *segment = &journal->segments[i];
        int64_t age_ms = (until_us - recovery->found[i].changed_us) / 1000;
        if (journal_segment_last(journal, i) <= journal->stored) {
            segment->stored_ms = now_ms - (age_ms > 0 ? age_ms : 0);
            segment->touched = true;
        }
    }
    journal_account(journal);
}

/* A service may run beside a read-only journal, and may have deleted segments after we read the
 * position file and before we listed the segments. So this function reads `deleted` again. */
static enum outcome read_deleted_again(struct recovery *recovery, struct error *error)
{
    struct journal *journal = recovery->journal;
    struct cursor_state state;
    cursor_close(&journal->cursor);
    enum outcome outcome =
        cursor_open(&journal->cursor, journal->directory_fd, true, &state, error);
    if (outcome == OUTCOME_OK && cursor_found(&journal->cursor) &&
        state.deleted > journal->deleted) {
        journal->deleted = state.deleted;
    }
    return outcome;
}

static enum outcome recover(struct recovery *recovery, struct error *error)
{
    struct journal *journal = recovery->journal;
    enum outcome outcome = cursor_open(&journal->cursor, journal->directory_fd,
                                       journal->options.read_only, &recovery->state, error);
    recovery->state_found = cursor_found(&journal->cursor);
    if (outcome == OUTCOME_OK) {
        outcome = recovery_find_files(recovery, error);
    }
    if (outcome == OUTCOME_OK) {
        add_segments(recovery);
        outcome = recover_newest(recovery, error);
    }
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    find_numbers(recovery);
    outcome = continue_newest(recovery, error);
    if (outcome != OUTCOME_OK) {
        return OUTCOME_FATAL;
    }
    find_stored(recovery);
    if (!recovery_writable(recovery)) {
        return read_deleted_again(recovery, error);
    }
    outcome = make_durable(recovery, error);
    return outcome == OUTCOME_OK ? mark_open(journal, error) : outcome;
}

enum outcome journal_recover(struct journal *journal, struct error *error)
{
    struct recovery recovery = {.journal = journal, .scan = {.fd = -1, .exhausted = -1}};
    journal->boot = cursor_boot();
    enum outcome outcome = recover(&recovery, error);
    segment_scan_fini(&recovery.scan);
    free(recovery.found);
    return outcome;
}
