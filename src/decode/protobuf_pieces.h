/*
 * protobuf_pieces: sorts the content of a Protocol Buffers message by field. On the wire fields
 * come in any order and more than once; the document has each field once, in a fixed order.
 *
 * What a piece means is decided later, when the member is written: of a scalar the last piece
 * counts, of a repeated field all do, and the pieces of a message are merged.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_PROTOBUF_PIECES_H
#define MQTT2PG_DECODE_PROTOBUF_PIECES_H

#include "decode/binary.h"
#include "decode/protobuf_schema.h"

/* One occurrence of a field. */
struct proto_piece {
    uint64_t integer;
    struct slice bytes;
    struct proto_piece *next;
};

/* The pieces of one field, in the order in which they came. The first one lies here, since most
 * fields come once: so this struct is not copied. */
struct proto_pieces {
    struct proto_piece first;
    struct proto_piece *last; /* NULL while there are none */
    size_t count;
};

/* A payload while it is read, and how much memory its pieces took. */
struct proto_reader {
    struct binary binary;
    const char *at; /* the field that is read, for reasons */
    size_t bytes;   /* that were taken so far; at most PROTO_PIECES_BYTES_MAX */
};

/* The memory that pieces, and copies of messages that came in several pieces, may take for one
 * payload beside its document. The limit is needed because a repeated number of one byte makes a
 * piece of 32 bytes. */
#define PROTO_PIECES_BYTES_MAX ((size_t) 64 << 20)

/* Always false: OUTCOME_REJECT with `what` at this byte, or, when it lies in a copy, at the field
 * that is read. */
bool proto_fail(struct proto_reader *reader, const char *at, const char *what);

/* `bytes` of memory in the arena; NULL beyond PROTO_PIECES_BYTES_MAX. */
void *proto_take(struct proto_reader *reader, size_t bytes);

/* The pieces of each field of the message, in the order of its fields; NULL after a mistake. Packed
 * numbers are unpacked, and of a oneof only the last member that came has pieces. */
struct proto_pieces *proto_collect(struct proto_reader *reader, const struct proto_message *message,
                                   struct slice bytes);

#endif
