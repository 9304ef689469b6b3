/*
 * binary: what the binary formats share: the bytes that are still to be read, the document that is
 * being made of them, and a reason that names the byte.
 *
 * A function that returns false has set the error, and its caller returns false too. So a decoder
 * reads as one chain of `&&`, and the error is that of the first mistake.
 *
 *   begin             at                    end
 *   ├── read ─────────┼── still to be read ──┤
 *
 * Texts and bytes of the document borrow the payload; what must be made (digits, unescaped names)
 * lies in the arena.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_BINARY_H
#define MQTT2PG_DECODE_BINARY_H

#include "base/bytes.h"
#include "base/outcome.h"
#include "decode/nodes.h"

/* A binary payload while it is read, and the document made so far. All pointers are borrowed. */
struct binary {
    const char *begin;
    const char *at;
    const char *end;
    struct nodes nodes;
    struct error *error;
    char *room; /* for texts of numbers, in the arena: floats from the front, digits from behind */
    char *room_end;
};

/* An array or object while it is read. */
struct binary_container {
    int64_t index;  /* of its node; nodes move while their list grows */
    uint32_t count; /* children so far */
    uint64_t seen;  /* bits of their names */
    const char *start;
};

void binary_init(struct binary *binary, struct slice payload, struct arena *arena,
                 struct error *error);

/* OUTCOME_REJECT with "byte 17: what", counted from 1; always false. */
bool binary_fail(struct binary *binary, const char *at, const char *what);

static inline size_t binary_left(const struct binary *binary)
{
    return (size_t) (binary->end - binary->at);
}

/* The next `length` bytes, and moves behind them. */
static inline bool binary_take(struct binary *binary, uint64_t length, struct slice *bytes)
{
    if (length > binary_left(binary)) {
        return binary_fail(binary, binary->end, "the payload ends within a value");
    }
    *bytes = slice_make(binary->at, (size_t) length);
    binary->at += length;
    assert(binary->at <= binary->end);
    return true;
}

/* A big-endian integer of 1, 2, 4 or 8 bytes. */
static inline bool binary_take_unsigned(struct binary *binary, unsigned bytes, uint64_t *number)
{
    const char *at = binary->at;
    if (bytes > binary_left(binary)) {
        return binary_fail(binary, binary->end, "the payload ends within a value");
    }
    binary->at += bytes;
    switch (bytes) {
    case 1:
        *number = (unsigned char) *at;
        return true;
    case 2:
        *number = bytes_get_be16(at);
        return true;
    case 4:
        *number = bytes_get_be32(at);
        return true;
    default:
        assert(bytes == 8);
        *number = bytes_get_be64(at);
        return true;
    }
}

/* --- nodes; `key` is empty outside of objects ------------------------------------------------- */

/* What binary_add() does when the document has no room for one more node. */
bool binary_add_failed(struct binary *binary);

static inline bool binary_add(struct binary *binary, enum value_kind kind, struct slice key,
                              struct slice text)
{
    return nodes_add(&binary->nodes, kind, key, text) != NULL || binary_add_failed(binary);
}

bool binary_add_boolean(struct binary *binary, struct slice key, bool boolean);
bool binary_add_unsigned(struct binary *binary, struct slice key, uint64_t number);
bool binary_add_signed(struct binary *binary, struct slice key, int64_t number);

/* The number -1 - number, as CBOR counts. */
bool binary_add_negative(struct binary *binary, struct slice key, uint64_t number);

bool binary_add_time(struct binary *binary, struct slice key, int64_t time_us);

/* The shortest text that reads back as the same float (`single`) or double. NaN and the infinities
 * are the texts "NaN", "Infinity", "-Infinity", which float columns take. */
bool binary_add_real(struct binary *binary, struct slice key, double real, bool single);

/* The same for a float given as 32 (`single`) or 64 bits (IEEE 754), in the low end of `bits`. */
bool binary_add_real_bits(struct binary *binary, struct slice key, uint64_t bits, bool single);

static inline double binary_real_of_bits(uint64_t bits, bool single)
{
    double wide;
    float narrow;
    uint32_t low = (uint32_t) bits;
    memcpy(&narrow, &low, sizeof(narrow));
    memcpy(&wide, &bits, sizeof(wide));
    return single ? (double) narrow : wide;
}

/* Refuses what is not UTF-8 at its first byte; `text` lies in the payload. */
bool binary_add_text(struct binary *binary, struct slice key, struct slice text);
bool binary_check_text(struct binary *binary, struct slice text);

/* The decimal digits of the number, in the arena; with `negative` those of -1 - number (CBOR). */
struct slice binary_digits(struct arena *arena, unsigned __int128 number, bool negative);

/* Seconds and nanoseconds since 1970 to microseconds, cut. False: beyond 64 bits. */
bool binary_time(int64_t seconds, uint32_t nanoseconds, int64_t *time_us);

/* --- containers ------------------------------------------------------------------------------- */

/* `start` is the first byte of the container, for reasons. */
bool binary_open(struct binary *binary, enum value_kind kind, struct slice key, const char *start,
                 struct binary_container *container);

/* Before each member of an object: a name that is there already is refused at `at`. */
static inline bool binary_name(struct binary *binary, struct binary_container *container,
                               struct slice name, const char *at)
{
    if (nodes_name_is_taken(&binary->nodes, container->index, container->count, name,
                            &container->seen)) {
        return binary_fail(binary, at, "duplicate name in one object");
    }
    container->count++;
    return true;
}

bool binary_close(struct binary *binary, struct binary_container *container);

/* False when bytes are left behind the payload's value. */
bool binary_end(struct binary *binary);

#endif
