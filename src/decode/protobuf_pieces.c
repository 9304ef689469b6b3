/* SPDX-License-Identifier: MIT */
#include "decode/protobuf_pieces.h"

#include "decode/protobuf_wire.h"

bool proto_fail(struct proto_reader *reader, const char *at, const char *what)
{
    /* Parts of a message that came in several are read from a copy: the field itself is named. */
    bool inside = at >= reader->binary.begin && at <= reader->binary.end;
    return binary_fail(&reader->binary, inside ? at : reader->at, what);
}

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

static void add_piece(struct proto_reader *reader, struct proto_pieces *pieces, uint64_t integer,
                      struct slice bytes)
{
    struct proto_piece *piece = arena_alloc(reader->binary.nodes.arena, sizeof(*piece));
    *piece = (struct proto_piece){.integer = integer, .bytes = bytes};
    if (pieces->last != NULL) {
        pieces->last->next = piece;
    } else {
        pieces->first = piece;
    }
    pieces->last = piece;
    pieces->count++;
}

/* Several numbers in one field of bytes. */
static bool unpack(struct proto_reader *reader, enum wire_type type, struct slice bytes,
                   struct proto_pieces *pieces)
{
    struct wire wire = wire_begin(bytes);
    while (wire.at < wire.end) {
        uint64_t integer;
        bool read = type == WIRE_VARINT ? wire_varint(&wire, &integer)
                                        : wire_fixed(&wire, type == WIRE_FIXED32 ? 4 : 8, &integer);
        if (!read) {
            return proto_fail(reader, wire.at, wire.wrong);
        }
        add_piece(reader, pieces, integer, (struct slice){0});
    }
    return true;
}

/* Of a oneof only the last member that came is set. */
static void clear_others(const struct proto_message *message, const struct proto_field *field,
                         struct proto_pieces *pieces)
{
    for (size_t i = 0; i < message->field_count; i++) {
        if (message->fields[i].one_of == field->one_of && &message->fields[i] != field) {
            pieces[i] = (struct proto_pieces){0};
        }
    }
}

static bool take_field(struct proto_reader *reader, const struct proto_message *message,
                       const struct wire_field *came, struct proto_pieces *pieces)
{
    const struct proto_field *field = proto_field_find(message, came->number);
    if (field == NULL) {
        return true;
    }
    struct proto_pieces *own = &pieces[field - message->fields];
    enum wire_type type = wire_type_of(field->type);
    if (field->one_of >= 0) {
        clear_others(message, field, pieces);
    }
    if (came->type == type) {
        add_piece(reader, own, came->integer, came->bytes);
    } else if (came->type == WIRE_BYTES && field->label == PROTO_REPEATED && type != WIRE_GROUP) {
        return unpack(reader, type, came->bytes, own);
    }
    return true;
}

struct proto_pieces *proto_collect(struct proto_reader *reader, const struct proto_message *message,
                                   struct slice bytes)
{
    struct proto_pieces *pieces =
        arena_alloc(reader->binary.nodes.arena, (message->field_count + 1) * sizeof(*pieces));
    struct wire wire = wire_begin(bytes);
    struct wire_field came;
    memset(pieces, 0, (message->field_count + 1) * sizeof(*pieces));
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
