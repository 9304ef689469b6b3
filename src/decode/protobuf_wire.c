/*
 * Nothing here allocates or recurses: nested messages are slices that the caller walks in turn, and
 * groups, which have no length, are passed over with a stack of field numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/protobuf_wire.h"

#include <assert.h>
#include <stddef.h>

#include "base/bytes.h"

enum { VARINT_BYTES_MAX = 10, GROUP_DEPTH_MAX = 100 };

static bool wire_fail(struct wire *wire, const char *at, const char *what)
{
    assert(wire->wrong == NULL && at <= wire->end); /* the first mistake ends the walk */
    wire->at = at;
    wire->wrong = what;
    return false;
}

struct wire wire_begin(struct slice bytes)
{
    const char *begin = bytes.data != NULL ? bytes.data : "";
    return (struct wire){.at = begin, .end = begin + bytes.length};
}

/* Seven bits a byte, the lowest first. Of the tenth byte only one bit counts: what is beyond 64
 * bits is cut off, as the specification has it. */
bool wire_long_varint(struct wire *wire, uint64_t *integer)
{
    const char *start = wire->at;
    assert(start <= wire->end);
    *integer = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX; i++) {
        if (wire->at == wire->end) {
            return wire_fail(wire, wire->end, "the payload ends within a value");
        }
        uint64_t byte = (unsigned char) *wire->at++;
        *integer |= (byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            return true;
        }
    }
    return wire_fail(wire, start, "a varint has more than 10 bytes");
}

bool wire_fixed(struct wire *wire, unsigned bytes, uint64_t *integer)
{
    assert(bytes == 4 || bytes == 8);
    if ((size_t) (wire->end - wire->at) < bytes) {
        return wire_fail(wire, wire->end, "the payload ends within a value");
    }
    *integer = bytes == 4 ? bytes_get_le32(wire->at) : bytes_get_le64(wire->at);
    wire->at += bytes;
    return true;
}

static inline bool take_bytes(struct wire *wire, struct slice *bytes)
{
    uint64_t length;
    if (!wire_varint(wire, &length)) {
        return false;
    }
    if (length > (size_t) (wire->end - wire->at)) {
        return wire_fail(wire, wire->end, "the payload ends within a value");
    }
    *bytes = slice_make(wire->at, (size_t) length);
    wire->at += length;
    assert(wire->at <= wire->end);
    return true;
}

/* Field numbers go from 1 to 2^29 - 1; wire types 6 and 7 do not exist. */
static inline bool take_tag(struct wire *wire, struct wire_field *field)
{
    uint64_t tag;
    field->start = wire->at;
    if (!wire_varint(wire, &tag)) {
        return false;
    }
    field->number = (uint32_t) (tag >> 3);
    field->type = (enum wire_type)(tag & 7);
    bool good = tag <= UINT32_MAX && field->number > 0 && field->type <= WIRE_FIXED32;
    return good || wire_fail(wire, field->start, "no tag of a field");
}

/* Everything of a field but a group. */
static inline bool take_value(struct wire *wire, struct wire_field *field)
{
    assert(field->type != WIRE_GROUP && field->type != WIRE_GROUP_END);
    switch (field->type) {
    case WIRE_VARINT:
        return wire_varint(wire, &field->integer);
    case WIRE_FIXED64:
        return wire_fixed(wire, 8, &field->integer);
    case WIRE_FIXED32:
        return wire_fixed(wire, 4, &field->integer);
    default:
        return take_bytes(wire, &field->bytes);
    }
}

/* From behind the start of a group to behind its end. The open groups' numbers tell which end is
 * whose. */
static bool take_group(struct wire *wire, struct wire_field *group)
{
    uint32_t open[GROUP_DEPTH_MAX];
    size_t depth = 0;
    const char *begin = wire->at;
    struct wire_field field = {.start = begin};

    open[depth++] = group->number;
    while (depth > 0) {
        if (!take_tag(wire, &field)) {
            return false;
        }
        if (field.type == WIRE_GROUP_END) {
            if (field.number != open[--depth]) {
                return wire_fail(wire, field.start, "the end of another group");
            }
        } else if (field.type == WIRE_GROUP) {
            if (depth == GROUP_DEPTH_MAX) {
                return wire_fail(wire, field.start, "nested too deep");
            }
            open[depth++] = field.number;
        } else if (!take_value(wire, &field)) {
            return false;
        }
    }
    assert(field.type == WIRE_GROUP_END && field.start >= begin);
    group->bytes = slice_make(begin, (size_t) (field.start - begin));
    return true;
}

bool wire_next(struct wire *wire, struct wire_field *field)
{
    if (wire->wrong != NULL || wire->at == wire->end || !take_tag(wire, field)) {
        return false;
    }
    if (field->type == WIRE_GROUP_END) {
        return wire_fail(wire, field->start, "the end of a group that did not begin");
    }
    return field->type == WIRE_GROUP ? take_group(wire, field) : take_value(wire, field);
}
