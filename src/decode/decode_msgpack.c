/*
 * Recursive descent: one call a value, its depth bounded by decode/nodes. The first byte says the
 * kind and, for small values, the rest; decode_msgpack.h has the table.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/decode_msgpack.h"

#include <stdint.h>

#include "base/bytes.h"
#include "decode/binary.h"

enum { EXT_TIME = 0xff }; /* type -1 */
enum { NANOSECONDS = 1000000000 };

static bool read_value(struct binary *binary, struct slice key);

/* Reads what the specification calls str, which must be UTF-8. Old senders, from before there was
 * bin, put other bytes there; these are rejected, because a text column can't hold them. */
static bool read_text(struct binary *binary, struct slice key, uint64_t length)
{
    struct slice text = {0};
    return binary_take(binary, length, &text) && binary_add_text(binary, key, text);
}

static bool read_bytes(struct binary *binary, struct slice key, uint64_t length)
{
    struct slice bytes = {0};
    return binary_take(binary, length, &bytes) && binary_add(binary, VALUE_BYTES, key, bytes);
}

/* The number in the low bytes as two's complement of their width. */
static int64_t extend_sign(uint64_t number, unsigned bytes)
{
    assert(bytes >= 1 && bytes <= 8);
    unsigned unused = 64 - 8 * bytes;
    return (int64_t) (number << unused) >> unused;
}

/* --- containers ------------------------------------------------------------------------------- */

/* A huge count in the header costs no memory: the array grows with each element that is there. */
static bool read_array(struct binary *binary, struct slice key, uint64_t count)
{
    struct binary_container array;
    if (!binary_open(binary, VALUE_ARRAY, key, binary->at - 1, &array)) {
        return false;
    }
    for (; array.count < count; array.count++) {
        if (!read_value(binary, (struct slice){0})) {
            return false;
        }
    }
    assert(array.count == count);
    return binary_close(binary, &array);
}

/* How many bytes of length stand behind the first byte of a text; 0 when it is none. */
static unsigned text_length_bytes(unsigned first)
{
    return first == 0xd9 ? 1 : first == 0xda ? 2 : first == 0xdb ? 4 : 0;
}

/* cc to cf are unsigned and d0 to d3 signed, of 1, 2, 4, 8 bytes: the low two bits are the
 * exponent. */
static bool read_integer_name(struct binary *binary, unsigned first, struct slice *name)
{
    struct arena *arena = binary->nodes.arena;
    uint64_t number = 0;
    if (first < 0x80) {
        *name = binary_digits(arena, first, false);
    } else if (first >= 0xe0) {
        *name = binary_digits(arena, 0xff - first, true);
    } else if (first >= 0xcc && first <= 0xd3) {
        unsigned bytes = 1U << (first & 3);
        if (!binary_take_unsigned(binary, bytes, &number)) {
            return false;
        }
        int64_t integer = extend_sign(number, bytes);
        bool negative = first >= 0xd0 && integer < 0;
        *name = binary_digits(arena, negative ? (uint64_t) - (integer + 1) : number, negative);
    } else {
        return binary_fail(binary, binary->at - 1, "a key is neither a text nor an integer");
    }
    return true;
}

/* A key is a text: a0 to bf, d9, da, db; or an integer. */
static bool read_name(struct binary *binary, struct slice *name)
{
    uint64_t first = 0;
    if (!binary_take_unsigned(binary, 1, &first)) {
        return false;
    }
    uint64_t length = first & 0x1f;
    unsigned bytes = text_length_bytes((unsigned) first);
    if (bytes > 0 ? !binary_take_unsigned(binary, bytes, &length) : (first & 0xe0) != 0xa0) {
        return bytes == 0 && read_integer_name(binary, (unsigned) first, name);
    }
    return binary_take(binary, length, name) && binary_check_text(binary, *name);
}

/* Pairs of key and value. A name that stands twice has no one meaning: the message is rejected at
 * the second one. */
static bool read_map(struct binary *binary, struct slice key, uint64_t count)
{
    struct binary_container map;
    if (!binary_open(binary, VALUE_OBJECT, key, binary->at - 1, &map)) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        struct slice name = {0};
        const char *at = binary->at;
        if (!read_name(binary, &name) || !binary_name(binary, &map, name, at) ||
            !read_value(binary, name)) {
            return false;
        }
    }
    return binary_close(binary, &map);
}

/* --- ext -------------------------------------------------------------------------------------- */

/* Timestamp 32, 64 and 96 of the specification. What is finer than a microsecond is cut off, as
 * unix_ns does. */
static bool read_time(struct binary *binary, struct slice key, struct slice bytes)
{
    int64_t seconds = 0;
    uint32_t nanoseconds = 0;
    int64_t time_us = 0;
    if (bytes.length == 4) {
        seconds = bytes_get_be32(bytes.data);
    } else if (bytes.length == 8) {
        uint64_t both =
            (uint64_t) bytes_get_be32(bytes.data) << 32 | bytes_get_be32(bytes.data + 4);
        nanoseconds = (uint32_t) (both >> 34);
        seconds = (int64_t) (both & 0x3ffffffff);
    } else if (bytes.length == 12) {
        nanoseconds = bytes_get_be32(bytes.data);
        seconds = (int64_t) ((uint64_t) bytes_get_be32(bytes.data + 4) << 32 |
                             bytes_get_be32(bytes.data + 8));
    } else {
        return binary_fail(binary, bytes.data, "a timestamp has 4, 8 or 12 bytes");
    }
    if (nanoseconds >= NANOSECONDS || !binary_time(seconds, nanoseconds, &time_us)) {
        return binary_fail(binary, bytes.data, "a timestamp is out of range");
    }
    return binary_add_time(binary, key, time_us);
}

/* Types 0 to 127 belong to applications, negative ones to the specification; of those only -1 is
 * defined. */
static bool read_ext(struct binary *binary, struct slice key, uint64_t length)
{
    uint64_t type = 0;
    struct slice bytes = {0};
    if (!binary_take_unsigned(binary, 1, &type) || !binary_take(binary, length, &bytes)) {
        return false;
    }
    return type == EXT_TIME ? read_time(binary, key, bytes)
                            : binary_add(binary, VALUE_BYTES, key, bytes);
}

/* --- values ----------------------------------------------------------------------------------- */

static bool read_float(struct binary *binary, struct slice key, bool single)
{
    uint64_t bits = 0;
    return binary_take_unsigned(binary, single ? 4 : 8, &bits) &&
           binary_add_real_bits(binary, key, bits, single);
}

static bool read_integer(struct binary *binary, struct slice key, unsigned first)
{
    uint64_t number = 0;
    assert(first >= 0xcc && first <= 0xd3);
    unsigned bytes = 1U << (first & 3);
    if (!binary_take_unsigned(binary, bytes, &number)) {
        return false;
    }
    return first < 0xd0 ? binary_add_unsigned(binary, key, number)
                        : binary_add_signed(binary, key, extend_sign(number, bytes));
}

/* Reads a value whose length or count stands in 1, 2 or 4 bytes: c4–c9, d9–df. */
static bool read_long(struct binary *binary, struct slice key, unsigned first)
{
    bool paired = first >= 0xdc; /* arrays and maps have no length of one byte */
    unsigned bytes =
        paired ? 2U << (first & 1) : 1U << ((first - (first < 0xd9 ? 0xc4 : 0xd9)) % 3);
    uint64_t length = 0;
    assert((first >= 0xc4 && first <= 0xc9) || (first >= 0xd9 && first <= 0xdf));
    if (!binary_take_unsigned(binary, bytes, &length)) {
        return false;
    }
    if (paired) {
        return first < 0xde ? read_array(binary, key, length) : read_map(binary, key, length);
    }
    return first >= 0xd9   ? read_text(binary, key, length)
           : first >= 0xc7 ? read_ext(binary, key, length)
                           : read_bytes(binary, key, length);
}

/* In the order of how often a byte is seen: small integers, short maps, arrays and texts have no
 * byte of their own for kind and length. */
static bool read_value(struct binary *binary, struct slice key)
{
    uint64_t byte = 0;
    const char *start = binary->at;
    if (!binary_take_unsigned(binary, 1, &byte)) {
        return false;
    }
    unsigned first = (unsigned) byte;
    if (first < 0x80) {
        return binary_add_unsigned(binary, key, first);
    }
    if (first < 0xc0) {
        return first < 0x90   ? read_map(binary, key, first & 15)
               : first < 0xa0 ? read_array(binary, key, first & 15)
                              : read_text(binary, key, first & 31);
    }
    if (first >= 0xe0) {
        return binary_add_signed(binary, key, (int64_t) first - 256);
    }
    switch (first) {
    case 0xc0:
        return binary_add(binary, VALUE_NULL, key, (struct slice){0});
    case 0xc1:
        return binary_fail(binary, start, "0xc1 begins no value");
    case 0xc2:
    case 0xc3:
        return binary_add_boolean(binary, key, first == 0xc3);
    case 0xca:
    case 0xcb:
        return read_float(binary, key, first == 0xca);
    default:
        break;
    }
    if (first >= 0xcc && first <= 0xd3) {
        return read_integer(binary, key, first);
    }
    return first >= 0xd4 && first <= 0xd8 ? read_ext(binary, key, 1U << (first - 0xd4))
                                          : read_long(binary, key, first);
}

enum outcome decode_msgpack(const struct decode_input *input, struct arena *arena,
                            const struct node **root, struct error *error)
{
    struct binary binary;
    binary_init(&binary, input->payload, arena, error);
    bool good = read_value(&binary, (struct slice){0}) && binary_end(&binary);
    *root = binary.nodes.list;
    return good ? OUTCOME_OK : OUTCOME_REJECT;
}
