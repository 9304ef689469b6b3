/* SPDX-License-Identifier: MIT */
#include "journal/segment_scan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/memory.h"

#define BUFFER_BYTES ((size_t) 256 * 1024)

void segment_scan_start(struct segment_scan *scan, int fd, const struct segment_header *header,
                        int64_t limit)
{
    assert(fd >= 0 && header->first_sequence > 0);
    scan->fd = fd;
    scan->seed = record_seed(header);
    scan->expected = header->first_sequence;
    scan->offset = JOURNAL_SEGMENT_HEADER_BYTES;
    scan->limit = limit;
    scan->base = JOURNAL_SEGMENT_HEADER_BYTES;
    scan->length = 0;
    scan->exhausted = -1;
}

void segment_scan_start_at(struct segment_scan *scan, int64_t offset, uint64_t expected)
{
    assert(offset >= JOURNAL_SEGMENT_HEADER_BYTES && offset <= scan->limit);
    assert(scan->length == 0 && expected >= scan->expected);
    scan->offset = scan->base = offset;
    scan->expected = expected;
}

void segment_scan_fini(struct segment_scan *scan)
{
    free(scan->bytes);
    *scan = (struct segment_scan){.fd = -1, .exhausted = -1};
}

static int64_t smaller(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

/* Moves the buffer's beginning to `offset`, keeps the bytes from there on that it has already, and
 * gives it room for `need` bytes. A buffer that a huge record has left behind shrinks again. */
static void window_move(struct segment_scan *scan, int64_t offset, size_t need)
{
    size_t kept = 0;
    if (offset >= scan->base && offset < scan->base + (int64_t) scan->length) {
        kept = scan->length - (size_t) (offset - scan->base);
        memmove(scan->bytes, scan->bytes + (offset - scan->base), kept);
    }
    size_t capacity = need > BUFFER_BYTES ? need : BUFFER_BYTES;
    if (capacity < kept) {
        capacity = kept;
    }
    if (capacity != scan->capacity) {
        scan->bytes = memory_resize(scan->bytes, capacity);
        scan->capacity = capacity;
    }
    assert(kept <= scan->capacity && need <= scan->capacity);
    scan->base = offset;
    scan->length = kept;
}

/* The bytes from `offset`, at least `need` of them unless the limit or the file ends before. False
 * after an I/O error. */
static bool window_at(struct segment_scan *scan, int64_t offset, size_t need, struct slice *out,
                      struct error *error)
{
    int64_t end = smaller(offset + (int64_t) need, scan->limit);
    if (offset < scan->base || end > scan->base + (int64_t) scan->length) {
        window_move(scan, offset, need);
        int64_t have_to = offset + (int64_t) scan->length;
        size_t wanted = (size_t) smaller((int64_t) (scan->capacity - scan->length),
                                         scan->limit > have_to ? scan->limit - have_to : 0);
        /* unreadable bytes fail the checksum, so they are damage like any other */
        int64_t unreadable;
        ssize_t got = file_read_around(
            scan->fd, (struct file_span){scan->bytes + scan->length, wanted, have_to}, &unreadable,
            error);
        if (got < 0) {
            return false;
        }
        scan->length += (size_t) got;
        assert(scan->length <= scan->capacity);
    }
    size_t skip = (size_t) (offset - scan->base);
    *out = skip < scan->length ? slice_make((const char *) scan->bytes + skip, scan->length - skip)
                               : slice_make(NULL, 0);
    return true;
}

enum place { PLACE_RECORD, PLACE_NO_RECORD, PLACE_FAILED /* I/O error */ };

/* Is there a record at `offset`? Calls record_decode() with as many bytes as it asks for. */
static enum place decode_at(struct segment_scan *scan, int64_t offset, struct message *message,
                            size_t *size, struct error *error)
{
    struct slice bytes;
    enum format_verdict verdict;
    if (!window_at(scan, offset, JOURNAL_RECORD_HEADER_BYTES, &bytes, error)) {
        return PLACE_FAILED;
    }
    verdict = record_decode(bytes, scan->seed, message, size);
    if (verdict == FORMAT_SHORT && (int64_t) *size <= scan->limit - offset) {
        if (!window_at(scan, offset, *size, &bytes, error)) {
            return PLACE_FAILED;
        }
        verdict = record_decode(bytes, scan->seed, message, size);
    }
    return verdict == FORMAT_SOUND && message->sequence >= scan->expected ? PLACE_RECORD
                                                                          : PLACE_NO_RECORD;
}

/* The place of the next mark in `bytes`, which begin at an aligned offset; when there is none,
 * bytes.length rounded down to 8. Sets *tail_to behind the last byte before that place that is not
 * zero. */
static size_t find_mark(struct slice bytes, uint32_t mark, size_t *tail_to)
{
    size_t at = 0;
    for (; at + 8 <= bytes.length; at += 8) {
        uint64_t word;
        memcpy(&word, bytes.data + at, sizeof(word));
        if (word == 0) {
            continue;
        }
        if (bytes_get_le32(bytes.data + at) == mark) {
            return at;
        }
        *tail_to = at + 8;
    }
    for (size_t rest = at; rest < bytes.length; rest++) {
        if (bytes.data[rest] != 0) {
            *tail_to = rest + 1;
        }
    }
    return at;
}

/* Looks for a sound record behind `offset`, where there is none. */
static enum segment_scan_result resync(struct segment_scan *scan, struct message *message,
                                       struct error *error)
{
    int64_t at = scan->offset;
    int64_t tail_to = scan->offset;
    while (at < scan->limit) {
        struct slice bytes;
        if (!window_at(scan, at, JOURNAL_RECORD_ALIGN, &bytes, error)) {
            return SEGMENT_SCAN_FAILED;
        }
        if (bytes.length == 0) {
            break; /* the file is shorter than its limit */
        }
        size_t nonzero_to = 0;
        size_t found = find_mark(bytes, record_mark(scan->seed), &nonzero_to);
        if (nonzero_to > 0) {
            tail_to = at + (int64_t) nonzero_to;
        }
        at += (int64_t) found;
        if (found + 8 > bytes.length) {
            if (found == 0) {
                break; /* fewer than 8 bytes are left */
            }
            continue;
        }
        size_t size;
        enum place place =
            at > scan->offset ? decode_at(scan, at, message, &size, error) : PLACE_NO_RECORD;
        if (place == PLACE_FAILED) {
            return SEGMENT_SCAN_FAILED;
        }
        if (place == PLACE_RECORD) {
            scan->damage_from = scan->offset;
            scan->damage_to = at;
            assert(scan->damage_from < scan->damage_to);
            scan->offset = at;
            return SEGMENT_SCAN_DAMAGE;
        }
        at += JOURNAL_RECORD_ALIGN;
        tail_to = at;
    }
    scan->tail_from = scan->offset;
    scan->tail_to = smaller(tail_to, scan->limit);
    assert(scan->tail_from <= scan->tail_to);
    scan->exhausted = scan->limit;
    return SEGMENT_SCAN_END;
}

enum segment_scan_result segment_scan_next(struct segment_scan *scan, struct message *message,
                                           struct error *error)
{
    size_t size;
    if (scan->offset >= scan->limit || scan->exhausted == scan->limit) {
        if (scan->exhausted != scan->limit) {
            scan->tail_from = scan->tail_to = scan->offset;
        }
        return SEGMENT_SCAN_END;
    }
    switch (decode_at(scan, scan->offset, message, &size, error)) {
    case PLACE_FAILED:
        return SEGMENT_SCAN_FAILED;
    case PLACE_NO_RECORD:
        return resync(scan, message, error);
    case PLACE_RECORD:
        break;
    }
    assert(size >= JOURNAL_RECORD_BYTES_MIN && size % JOURNAL_RECORD_ALIGN == 0);
    scan->record_offset = scan->offset;
    scan->offset += (int64_t) size;
    scan->expected = message->sequence + 1;
    return SEGMENT_SCAN_RECORD;
}

bool segment_scan_unfinished(struct segment_scan *scan)
{
    struct slice bytes;
    struct message message;
    struct error ignored;
    size_t size;
    if (!window_at(scan, scan->tail_from, JOURNAL_RECORD_HEADER_BYTES, &bytes, &ignored) ||
        bytes.length < JOURNAL_RECORD_HEADER_BYTES) {
        return false;
    }
    /* Decode only the header: FORMAT_SHORT then means a valid mark and a possible length. */
    bytes.length = JOURNAL_RECORD_HEADER_BYTES;
    if (record_decode(bytes, scan->seed, &message, &size) != FORMAT_SHORT) {
        return false;
    }
    int64_t last_page = (scan->tail_from + (int64_t) size - 1) / FILE_PAGE_BYTES * FILE_PAGE_BYTES;
    return last_page > scan->tail_from && scan->tail_to <= last_page;
}
