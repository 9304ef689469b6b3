/*
 * protobuf_wire: the wire format of Protocol Buffers, field by field. Used for payloads, for
 * descriptor sets and for Sparkplug B.
 *
 *   tag         a varint: field number << 3 | wire type
 *   varint      7 bits a byte, the lowest first; the high bit says that another byte follows. At
 *               most 10 bytes, so that a negative int32 has 10
 *   wire type   0 a varint, 1 eight bytes, 2 a length (varint) and so many bytes, 5 four bytes;
 *               3 begins a group and 4 ends it, with the same field number, and the fields of the
 *               group stand between them. Fixed widths are little-endian
 *
 * The format does not tell a text from bytes or a message, nor int32 from sint64 or bool: the
 * reader must know. That is why a payload can't be read without its descriptor.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_PROTOBUF_WIRE_H
#define MQTT2PG_DECODE_PROTOBUF_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* How a field is encoded: the low three bits of its tag. */
enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
    WIRE_GROUP = 3,
    WIRE_GROUP_END = 4,
    WIRE_FIXED32 = 5,
};

/* A walk over the fields of one message; borrows its bytes. */
struct wire {
    const char *at;
    const char *end;
    const char *wrong; /* NULL, or why reading ended before `end`; `at` is where */
};

/* One field as it came. `start` is its tag, for reasons. */
struct wire_field {
    const char *start;
    uint32_t number;
    enum wire_type type;
    uint64_t integer;   /* of VARINT, FIXED32, FIXED64 */
    struct slice bytes; /* of BYTES and GROUP */
};

/* A walk that stands before the first field of these bytes. */
struct wire wire_begin(struct slice bytes);

/* The next field; false at the end, and at a mistake, which `wire->wrong` tells. */
bool wire_next(struct wire *wire, struct wire_field *field);

/* The next number of a packed field; false likewise. */
bool wire_long_varint(struct wire *wire, uint64_t *integer);
bool wire_fixed(struct wire *wire, unsigned bytes, uint64_t *integer);

/* Most varints, and nearly all tags and lengths, have one byte. */
static inline bool wire_varint(struct wire *wire, uint64_t *integer)
{
    if (wire->at < wire->end && (unsigned char) *wire->at < 0x80) {
        *integer = (unsigned char) *wire->at++;
        return true;
    }
    return wire_long_varint(wire, integer);
}

/* sint32 and sint64: 0, 1, 2, 3 travel for 0, -1, 1, -2, so that small negative numbers stay
 * short. */
static inline int64_t wire_zigzag(uint64_t integer)
{
    return (int64_t) (integer >> 1) ^ -(int64_t) (integer & 1);
}

#endif
