/*
 * protobuf_pieces: what a message of Protocol Buffers has of each of its fields. Fields come in any
 * order and more than once, and the document wants them in one: so a message is first taken apart.
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

/* What came of a field once. */
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

/* A repeated number of one byte makes a piece of 32, and an empty entry of a map has room for the
 * pieces of two fields: so much is taken for the pieces of one payload, beside its document, and
 * for messages that came in several pieces. */
#define PROTO_PIECES_BYTES_MAX ((size_t) 64 << 20)

/* Always false: OUTCOME_REJECT with `what` at this byte, or, when it lies in a copy, at the field
 * that is read. */
bool proto_fail(struct proto_reader *reader, const char *at, const char *what);

/* `bytes` of memory in the arena; NULL when this payload has had its part. */
void *proto_take(struct proto_reader *reader, size_t bytes);

/* The pieces of each field of the message, in the order of its fields; NULL after a mistake. Packed
 * numbers are unpacked, and of a oneof only the last member that came has pieces. */
struct proto_pieces *proto_collect(struct proto_reader *reader, const struct proto_message *message,
                                   struct slice bytes);

#endif
