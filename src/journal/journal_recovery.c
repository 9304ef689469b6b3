/*
 * What journal_open() finds and makes of it; FORMAT.md tells the same for people.
 *
 *   position file ▶ list of segments ▶ their headers ▶ whose journal it is ▶ bad headers: made again or set aside
 *     ▶ newest segment read to its end, tail cut ▶ which number comes next ▶ what may not be on disk yet is written again ▶ synced
 *
 * Damage is logged and never fatal; what makes opening fail is an I/O error, a later version's files, or somebody else's.
 *
 * SPDX-License-Identifier: MIT
 */
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
#include "journal/journal_internal.h"
#include "journal/segment.h"
#include "journal/segment_scan.h"

/* A segment file as it was found. */
struct found {
    uint64_t first_sequence; /* from its name */
    enum format_verdict verdict;
    struct segment_header header; /* when FORMAT_SOUND */
    int64_t bytes;
    int64_t changed_us;
};

struct recovery {
    struct journal *journal;
    struct found *found; /* owned, sorted */
    size_t count;
    size_t capacity;
    struct cursor_state state;
    bool state_found;
    bool power_loss;     /* what was not synced may be gone without a trace */
    uint64_t sound_last; /* the last message that can be read */
    uint64_t given_last; /* the highest number that certainly was given */
    uint64_t maybe_last; /* the highest that may have been */
    struct segment_scan scan;
};

static uint64_t higher(uint64_t left, uint64_t right)
{
    return left > right ? left : right;
}

static bool writable(const struct recovery *recovery)
{
    return !recovery->journal->options.read_only;
}

/* --- the files --- */

static int compare_found(const void *left, const void *right)
{
    uint64_t l = ((const struct found *) left)->first_sequence;
    uint64_t r = ((const struct found *) right)->first_sequence;
    return l < r ? -1 : l > r;
}

static enum outcome list_files(struct recovery *recovery, struct error *error)
{
    int directory_fd = recovery->journal->directory_fd;
    int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (directory == NULL) {
        return error_errno(error, OUTCOME_FATAL, "could not list journal \"%s\"",
                           recovery->journal->directory);
    }
    const struct dirent *entry;
    while ((errno = 0, entry = readdir(directory)) != NULL) {
        uint64_t first_sequence;
        if (segment_name_parse(entry->d_name, &first_sequence)) {
            recovery->found = memory_grow(recovery->found, recovery->count, &recovery->capacity,
                                          sizeof(*recovery->found));
            recovery->found[recovery->count++] = (struct found){.first_sequence = first_sequence};
        } else if (writable(recovery) && strcmp(entry->d_name, SEGMENT_PREPARED_NAME) == 0) {
            unlinkat(directory_fd, entry->d_name, 0);
        }
    }
    enum outcome outcome = errno == 0
                               ? OUTCOME_OK
                               : error_errno(error, OUTCOME_FATAL, "could not list journal \"%s\"",
                                             recovery->journal->directory);
    closedir(directory);
    if (recovery->count > 1) {
        qsort(recovery->found, recovery->count, sizeof(*recovery->found), compare_found);
    }
    return outcome;
}

static enum outcome read_header(struct recovery *recovery, struct found *found, struct error *error)
{
    uint8_t bytes[JOURNAL_SEGMENT_HEADER_BYTES];
    char name[SEGMENT_NAME_BYTES];
    int fd = -1;
    enum outcome outcome =
        segment_open(recovery->journal->directory_fd, found->first_sequence, false, &fd, error);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    outcome = segment_stat(fd, &found->bytes, &found->changed_us, error);
    if (outcome == OUTCOME_OK) {
        ssize_t got = file_read(fd, bytes, sizeof(bytes), 0, error);
        outcome = got < 0 ? OUTCOME_FATAL : OUTCOME_OK;
        found->verdict =
            got < 0 ? FORMAT_DAMAGED : segment_header_decode(bytes, (size_t) got, &found->header);
    }
    close(fd);
    segment_name(name, found->first_sequence);
    if (outcome != OUTCOME_OK) {
        error_prefix(error, "segment \"%s\"", name);
    } else if (found->verdict == FORMAT_NEWER) {
        return error_set(error, OUTCOME_FATAL,
                         "segment \"%s/%s\" was written by a later version of this program",
                         recovery->journal->directory, name);
    } else if (found->verdict == FORMAT_SOUND &&
               found->header.first_sequence != found->first_sequence) {
        found->verdict = FORMAT_DAMAGED; /* a copy under a wrong name */
    }
    return outcome;
}

static void remove_found(struct recovery *recovery, size_t index)
{
    recovery->count--;
    memmove(&recovery->found[index], &recovery->found[index + 1],
            (recovery->count - index) * sizeof(*recovery->found));
}

static enum outcome read_headers(struct recovery *recovery, struct error *error)
{
    for (size_t i = 0; i < recovery->count;) {
        enum outcome outcome = read_header(recovery, &recovery->found[i], error);
        if (outcome == OUTCOME_RETRY) {
            remove_found(recovery, i); /* deleted by the service beside which we read */
        } else if (outcome != OUTCOME_OK) {
            return outcome;
        } else {
            i++;
        }
    }
    return OUTCOME_OK;
}

/* --- whose journal it is --- */

static void format_uuid(const uint8_t uuid[16], char text[JOURNAL_UUID_TEXT])
{
    char *at = text;
    for (size_t i = 0; i < 16; i++) {
        bool dash = i == 4 || i == 6 || i == 8 || i == 10;
        at += snprintf(at, 4, "%s%02x", dash ? "-" : "", uuid[i]);
    }
}

/* Version 4: random (RFC 9562, section 5.4). */
static enum outcome make_uuid(uint8_t uuid[16], struct error *error)
{
    if (getrandom(uuid, 16, 0) != 16) {
        return error_errno(error, OUTCOME_FATAL, "could not make a uuid");
    }
    uuid[6] = (uint8_t) ((uuid[6] & 0x0f) | 0x40);
    uuid[8] = (uint8_t) ((uuid[8] & 0x3f) | 0x80);
    return OUTCOME_OK;
}

static enum outcome find_uuid(struct recovery *recovery, struct error *error)
{
    struct journal *journal = recovery->journal;
    bool known = recovery->state_found;
    char name[SEGMENT_NAME_BYTES];
    if (known) {
        memcpy(journal->uuid, recovery->state.uuid, sizeof(journal->uuid));
    }
    for (size_t i = recovery->count; i > 0; i--) {
        const struct found *found = &recovery->found[i - 1];
        if (found->verdict != FORMAT_SOUND) {
            continue;
        }
        if (known && memcmp(found->header.uuid, journal->uuid, sizeof(journal->uuid)) != 0) {
            segment_name(name, found->first_sequence);
            return error_set(error, OUTCOME_FATAL, "segment \"%s/%s\" belongs to another journal",
                             journal->directory, name);
        }
        memcpy(journal->uuid, found->header.uuid, sizeof(journal->uuid));
        known = true;
    }
    if (!known && recovery->count > 0 && recovery->found[0].verdict == FORMAT_FOREIGN) {
        segment_name(name, recovery->found[0].first_sequence);
        return error_set(error, OUTCOME_FATAL, "\"%s/%s\" is no segment of a journal",
                         journal->directory, name);
    }
    if (!known && writable(recovery) && make_uuid(journal->uuid, error) != OUTCOME_OK) {
        return OUTCOME_FATAL;
    }
    format_uuid(journal->uuid, journal->uuid_text);
    return OUTCOME_OK;
}

/* --- bad headers --- */

/* What must have stood in the header: uuid and name say it, except why numbers were left out, which only a power loss does on a scale
 * that no segment holds messages for. */
static struct segment_header guess_header(const struct recovery *recovery, size_t index)
{
    const struct found *found = &recovery->found[index];
    struct segment_header header = journal_header(recovery->journal, found->first_sequence);
    header.created_at_us = found->changed_us;
    if (index > 0 && found->first_sequence - recovery->found[index - 1].first_sequence >
                         JOURNAL_SKIP_AFTER_POWER_LOSS) {
        header.skipped = JOURNAL_SKIP_AFTER_POWER_LOSS;
    }
    return header;
}

static enum outcome write_header(struct recovery *recovery, int fd,
                                 const struct segment_header *header, struct error *error)
{
    uint8_t bytes[JOURNAL_SEGMENT_HEADER_BYTES] = {0};
    struct journal_damage damage = {.event = "journal is damaged, a segment's header is made again",
                                    .level = LOG_WARN,
                                    .segment = header->first_sequence,
                                    .fd = fd,
                                    .to = sizeof(bytes)};
    journal_keep_damage(recovery->journal, &damage);
    segment_header_encode(bytes, header);
    enum outcome outcome = file_write(fd, bytes, sizeof(bytes), 0, error);
    return outcome == OUTCOME_OK ? file_sync(fd, error) : OUTCOME_FATAL;
}

/* Nothing in it can be read. One without any content was only just made when the machine went down. */
static enum outcome set_aside(struct recovery *recovery, const struct found *found, bool empty,
                              struct error *error)
{
    char name[SEGMENT_NAME_BYTES];
    char to[sizeof(JOURNAL_DAMAGED_NAME) + SEGMENT_NAME_BYTES];
    int directory_fd = recovery->journal->directory_fd;
    segment_name(name, found->first_sequence);
    snprintf(to, sizeof(to), "%s/%s", JOURNAL_DAMAGED_NAME, name);
    recovery->given_last = higher(recovery->given_last, found->first_sequence - 1);
    if (!empty) {
        uint64_t records_max = (uint64_t) found->bytes / JOURNAL_RECORD_BYTES_MIN;
        recovery->given_last = higher(recovery->given_last, found->first_sequence);
        recovery->maybe_last = higher(recovery->maybe_last, found->first_sequence + records_max);
    }
    if (!writable(recovery)) {
        return OUTCOME_OK;
    }
    int result;
    if (empty) {
        result = unlinkat(directory_fd, name, 0);
    } else {
        log_warn("journal is damaged, a segment is set aside", F_TEXT("segment", name),
                 F_INT("bytes", found->bytes));
        mkdirat(directory_fd, JOURNAL_DAMAGED_NAME, 0700);
        result = renameat(directory_fd, name, directory_fd, to);
    }
    return result == 0
               ? OUTCOME_OK
               : error_errno(error, OUTCOME_FATAL, "could not set aside segment \"%s\"", name);
}

/* A segment whose header is not sound. *kept tells whether it stays in the list, with a header made again. */
static enum outcome repair_header(struct recovery *recovery, size_t index, bool *kept,
                                  struct error *error)
{
    struct found *found = &recovery->found[index];
    struct segment_scan *scan = &recovery->scan;
    struct segment_header header = guess_header(recovery, index);
    struct message message;
    int fd = -1;
    enum outcome outcome = segment_open(recovery->journal->directory_fd, found->first_sequence,
                                        writable(recovery), &fd, error);
    if (outcome != OUTCOME_OK) {
        return OUTCOME_FATAL;
    }
    segment_scan_start(scan, fd, &header, found->bytes);
    enum segment_scan_result result = segment_scan_next(scan, &message, error);
    *kept = result == SEGMENT_SCAN_RECORD || result == SEGMENT_SCAN_DAMAGE;
    if (result == SEGMENT_SCAN_FAILED) {
        outcome = OUTCOME_FATAL;
    } else if (*kept) {
        found->header = header;
        outcome = writable(recovery) ? write_header(recovery, fd, &header, error) : OUTCOME_OK;
    } else {
        bool empty = found->verdict == FORMAT_EMPTY && scan->tail_from == scan->tail_to;
        outcome = set_aside(recovery, found, empty || found->bytes == 0, error);
    }
    close(fd);
    return outcome;
}

static enum outcome repair_headers(struct recovery *recovery, struct error *error)
{
    for (size_t i = 0; i < recovery->count;) {
        bool kept = true;
        if (recovery->found[i].verdict != FORMAT_SOUND &&
            repair_header(recovery, i, &kept, error) != OUTCOME_OK) {
            return OUTCOME_FATAL;
        }
        if (kept) {
            i++;
        } else {
            remove_found(recovery, i);
        }
    }
    return OUTCOME_OK;
}

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

/* Reads it to its end; damage in its middle stays where it is, for the reader to pass over and report. */
static enum outcome scan_newest(struct recovery *recovery, int fd, struct error *error)
{
    struct journal *journal = recovery->journal;
    const struct found *newest = &recovery->found[recovery->count - 1];
    struct segment_scan *scan = &recovery->scan;
    struct message message;
    enum segment_scan_result result;
    segment_scan_start(scan, fd, &newest->header, newest->bytes);
    recovery->sound_last = newest->first_sequence - 1;
    do {
        result = segment_scan_next(scan, &message, error);
        if (result == SEGMENT_SCAN_RECORD) {
            recovery->sound_last = message.sequence;
            journal->last_us = message.received_at_us;
        } else if (result == SEGMENT_SCAN_DAMAGE && writable(recovery)) {
            log_warn("journal is damaged", F_INT("segment", newest->first_sequence),
                     F_INT("offset", scan->damage_from),
                     F_INT("bytes", scan->damage_to - scan->damage_from));
        }
    } while (result == SEGMENT_SCAN_RECORD || result == SEGMENT_SCAN_DAMAGE);
    return result == SEGMENT_SCAN_FAILED ? OUTCOME_FATAL : OUTCOME_OK;
}

/* Bytes behind the last sound record that are no record: kept in damaged/, then cut off, so that they never come back to life. */
static enum outcome cut_tail(struct recovery *recovery, int fd, struct error *error)
{
    const struct segment_scan *scan = &recovery->scan;
    struct journal *journal = recovery->journal;
    struct journal_segment *segment = &journal->segments[journal->segment_count - 1];
    uint64_t bytes = (uint64_t) (scan->tail_to - scan->tail_from);
    uint64_t records_max = (bytes + JOURNAL_RECORD_BYTES_MIN - 1) / JOURNAL_RECORD_BYTES_MIN;
    recovery->maybe_last = higher(recovery->maybe_last, recovery->sound_last + records_max);
    struct journal_damage damage = {.event = "journal ended in an unfinished record, cut off",
                                    .level = LOG_INFO,
                                    .segment = segment->first_sequence,
                                    .fd = fd,
                                    .from = scan->tail_from,
                                    .to = scan->tail_to};
    journal_keep_damage(journal, &damage);
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
    enum outcome outcome =
        segment_open(journal->directory_fd, newest->first_sequence, writable(recovery), &fd, error);
    if (outcome == OUTCOME_OK) {
        outcome = scan_newest(recovery, fd, error);
    }
    if (outcome == OUTCOME_OK) {
        newest->end = recovery->scan.offset;
        newest->synced = newest->end;
    }
    if (outcome == OUTCOME_OK && writable(recovery) &&
        recovery->scan.tail_from < recovery->scan.tail_to) {
        outcome = cut_tail(recovery, fd, error);
    }
    if (outcome == OUTCOME_OK && writable(recovery)) {
        newest->fd = fd; /* perhaps it goes on here */
    } else if (fd >= 0) {
        close(fd);
    }
    return outcome == OUTCOME_OK ? OUTCOME_OK : OUTCOME_FATAL;
}

/* --- the numbers --- */

/* Finds given_last and maybe_last: FORMAT.md, "Numbers". */
static void find_numbers(struct recovery *recovery)
{
    struct journal *journal = recovery->journal;
    const struct cursor_state *state = &recovery->state;
    bool brand_new = !recovery->state_found && recovery->count == 0 && recovery->given_last == 0;
    uint64_t cursor_given = state->last - state->skipped;
    uint64_t given = higher(higher(recovery->given_last, recovery->sound_last),
                            higher(cursor_given, state->stored));
    uint64_t maybe = higher(higher(given, recovery->maybe_last), state->last);

    bool as_closed = recovery->state_found && state->clean && recovery->sound_last <= state->last;
    bool same_boot = recovery->state_found && state->boot != 0 && state->boot == journal->boot;
    recovery->power_loss = writable(recovery) && !brand_new && !as_closed && !same_boot;
    if (recovery->power_loss) {
        maybe += JOURNAL_SKIP_AFTER_POWER_LOSS;
        log_warn("journal was not closed before the machine stopped; what was not synced is lost",
                 F_TEXT("directory", journal->directory), F_INT("last", recovery->sound_last));
    }
    if (given > recovery->sound_last && recovery->count > 0 && writable(recovery)) {
        log_warn("journal is damaged, its newest messages are missing",
                 F_INT("first", recovery->sound_last + 1),
                 F_INT("messages", given - recovery->sound_last));
    }
    recovery->given_last = given;
    journal->last = maybe;
    journal->skipped = maybe - given;
    journal->opened_last = maybe;
    journal->stored = state->stored;
    journal->deleted = state->deleted;
    journal->synced_last = maybe;
}

/* When the next message directly follows the last one, the newest segment takes it. */
static void continue_newest(struct recovery *recovery)
{
    struct journal *journal = recovery->journal;
    if (recovery->count == 0 || !writable(recovery)) {
        return;
    }
    struct journal_segment *newest = &journal->segments[journal->segment_count - 1];
    struct segment_header header = journal_header(journal, newest->first_sequence);
    if (journal->last == recovery->sound_last) {
        newest->sealed = false;
        journal->active.fd = newest->fd;
        journal->active.offset = newest->end;
        journal->active.bytes = newest->bytes;
        journal->active.seed = record_seed(&header);
    }
}

/* --- durable --- */

/*
 * A process that died of a failed sync leaves bytes that can be read, from memory, but are not on disk, and that the kernel
 * believes written. Writing them again is what makes the next sync mean something.
 */
static enum outcome rewrite(int fd, int64_t end, struct error *error)
{
    enum outcome outcome = OUTCOME_OK;
    size_t chunk = 256 * 1024;
    char *bytes = memory_alloc(chunk);
    for (int64_t at = 0; at < end && outcome == OUTCOME_OK;) {
        size_t wanted = end - at < (int64_t) chunk ? (size_t) (end - at) : chunk;
        ssize_t got = file_read(fd, bytes, wanted, at, error);
        if (got <= 0) {
            outcome = got < 0 ? OUTCOME_FATAL : OUTCOME_OK;
            break;
        }
        outcome = file_write(fd, bytes, (size_t) got, at, error);
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
    /* Without a cursor: the last two. */
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

/* The mark that this journal is open, before anything is appended: else an old "closed" could be what a power loss leaves. */
static enum outcome mark_open(struct journal *journal, struct error *error)
{
    struct cursor_state state = journal_cursor_state(journal, false);
    /* Both slots, so that a disk that fills up later cannot keep a position from being written. */
    enum outcome outcome =
        file_reserve(journal->cursor.fd, CURSOR_SLOT_DISTANCE + CURSOR_SLOT_BYTES, error);
    if (outcome == OUTCOME_OK) {
        outcome = cursor_write(&journal->cursor, &state, error);
    }
    if (outcome == OUTCOME_OK) {
        outcome = cursor_sync(&journal->cursor, error);
    }
    return outcome == OUTCOME_OK ? file_sync_directory(journal->directory_fd, error) : outcome;
}

/* Segments that were stored before this start: their file's time says since when. */
static void find_stored(struct recovery *recovery)
{
    struct journal *journal = recovery->journal;
    int64_t wall_us = clock_wall_us();
    int64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i + 1 < journal->segment_count; i++) {
        struct journal_segment *segment = &journal->segments[i];
        int64_t age_ms = (wall_us - recovery->found[i].changed_us) / 1000;
        if (journal_segment_last(journal, i) <= journal->stored) {
            segment->stored_ms = now_ms - (age_ms > 0 ? age_ms : 0);
            segment->touched = true;
        }
    }
    journal_account(journal);
}

/* The service beside which we read may have deleted segments after we read the position and before we listed the files. */
static enum outcome read_deleted_again(struct recovery *recovery, struct error *error)
{
    struct journal *journal = recovery->journal;
    struct cursor_state state;
    bool found;
    cursor_close(&journal->cursor);
    enum outcome outcome =
        cursor_open(&journal->cursor, journal->directory_fd, true, &state, &found, error);
    if (outcome == OUTCOME_OK && found && state.deleted > journal->deleted) {
        journal->deleted = state.deleted;
    }
    return outcome;
}

static enum outcome recover(struct recovery *recovery, struct error *error)
{
    struct journal *journal = recovery->journal;
    enum outcome outcome =
        cursor_open(&journal->cursor, journal->directory_fd, journal->options.read_only,
                    &recovery->state, &recovery->state_found, error);
    if (outcome == OUTCOME_OK) {
        outcome = list_files(recovery, error);
    }
    if (outcome == OUTCOME_OK) {
        outcome = read_headers(recovery, error);
    }
    if (outcome == OUTCOME_OK) {
        outcome = find_uuid(recovery, error);
    }
    if (outcome == OUTCOME_OK) {
        outcome = repair_headers(recovery, error);
    }
    if (outcome == OUTCOME_OK) {
        add_segments(recovery);
        outcome = recover_newest(recovery, error);
    }
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    find_numbers(recovery);
    continue_newest(recovery);
    find_stored(recovery);
    if (!writable(recovery)) {
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
