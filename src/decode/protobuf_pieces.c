/*
 *   08 01  12 03 …  08 05        fields as they came: 1, 2, 1
 *   fields[0].pieces  1 ─▶ 5      a singular scalar takes the last
 *   fields[1].pieces  …
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/protobuf_pieces.h"

#include <assert.h>

#include "decode/protobuf_wire.h"

bool proto_fail(struct proto_reader *reader, const char *at, const char *what)
{
    /* Parts of a message that came in several are read from a copy: the field itself is named. */
    bool inside = at >= reader->binary.begin && at <= reader->binary.end;
    return binary_fail(&reader->binary, inside ? at : reader->at, what);
}

/* The table of the encoding guide: which wire type carries which type of field. */
static enum wire_type wire_type_of(enum proto_type type)
{
    switch (type) {
    case PROTO_DOUBLE:
    case PROTO_FIXED64:
    case PROTO_SFIXED64:
        return WIRE_FIXED64;
    case PROTO_FLOAT:
    case PROTO_FIXED32:
    case PROTO_SFIXED32:
        return WIRE_FIXED32;
    case PROTO_STRING:
    case PROTO_BYTES:
    case PROTO_MESSAGE:
        return WIRE_BYTES;
    case PROTO_GROUP:
        return WIRE_GROUP;
    default:
        return WIRE_VARINT;
    }
}

void *proto_take(struct proto_reader *reader, size_t bytes)
{
    assert(reader->bytes <= PROTO_PIECES_BYTES_MAX);
    if (bytes > PROTO_PIECES_BYTES_MAX - reader->bytes) {
        proto_fail(reader, reader->at, "too many values in one payload");
        return NULL;
    }
    reader->bytes += bytes;
    return arena_alloc(reader->binary.nodes.arena, bytes);
}

static bool add_piece(struct proto_reader *reader, struct proto_pieces *pieces, uint64_t integer,
                      struct slice bytes)
{
    struct proto_piece *piece = &pieces->first;
    assert((pieces->last == NULL) == (pieces->count == 0));
    if (pieces->last != NULL) {
        piece = proto_take(reader, sizeof(*piece));
        if (piece == NULL) {
            return false;
        }
        pieces->last->next = piece;
    }
    *piece = (struct proto_piece){.integer = integer, .bytes = bytes};
    pieces->last = piece;
    pieces->count++;
    return true;
}

/* Several numbers in one field of bytes. */
static bool unpack(struct proto_reader *reader, enum wire_type type, struct slice bytes,
                   struct proto_pieces *pieces)
{
    struct wire wire = wire_begin(bytes);
    assert(type == WIRE_VARINT || type == WIRE_FIXED32 || type == WIRE_FIXED64);
    while (wire.at < wire.end) {
        uint64_t integer;
        bool read = type == WIRE_VARINT ? wire_varint(&wire, &integer)
                                        : wire_fixed(&wire, type == WIRE_FIXED32 ? 4 : 8, &integer);
        if (!read) {
            return proto_fail(reader, wire.at, wire.wrong);
        }
        if (!add_piece(reader, pieces, integer, (struct slice){0})) {
            return false;
        }
    }
    return true;
}

/* Of a oneof only the last member that came is set. A member with another wire type than its own is
 * an unknown field and clears nothing. */
static void clear_others(const struct proto_message *message, const struct proto_field *field,
                         struct proto_pieces *pieces)
{
    assert(field->one_of >= 0);
    for (size_t i = 0; i < message->field_count; i++) {
        if (message->fields[i].one_of == field->one_of && &message->fields[i] != field) {
            pieces[i] = (struct proto_pieces){0};
        }
    }
}

/* One field of the message. With another wire type than its own it is an unknown field, unless it
 * is a packed list: readers must take both forms, whatever the descriptor says. */
static bool take_field(struct proto_reader *reader, const struct proto_message *message,
                       const struct wire_field *came, struct proto_pieces *pieces)
{
    const struct proto_field *field = proto_field_find(message, came->number);
    if (field == NULL) {
        return true;
    }
    assert((size_t) (field - message->fields) < message->field_count);
    struct proto_pieces *own = &pieces[field - message->fields];
    enum wire_type type = wire_type_of(field->type);
    if (came->type == type) {
        if (field->one_of >= 0) {
            clear_others(message, field, pieces);
        }
        return add_piece(reader, own, came->integer, came->bytes);
    }
    if (came->type == WIRE_BYTES && field->label == PROTO_REPEATED && type != WIRE_GROUP) {
        return unpack(reader, type, came->bytes, own);
    }
    return true;
}

struct proto_pieces *proto_collect(struct proto_reader *reader, const struct proto_message *message,
                                   struct slice bytes)
{
    size_t size = message->field_count * sizeof(struct proto_pieces);
    struct proto_pieces *pieces = proto_take(reader, size);
    struct wire wire = wire_begin(bytes);
    struct wire_field came;
    if (pieces == NULL) {
        return NULL;
    }
    memset(pieces, 0, size);
    while (wire_next(&wire, &came)) {
        if (!take_field(reader, message, &came, pieces)) {
            return NULL;
        }
    }
    if (wire.wrong != NULL) {
        proto_fail(reader, wire.at, wire.wrong);
        return NULL;
    }
    return pieces;
}
