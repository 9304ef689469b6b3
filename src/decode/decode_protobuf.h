/*
 * decode_protobuf: the format "protobuf": one message of a descriptor set (decode/protobuf_schema).
 *
 * Members have the names of the fields, in the order of the .proto file. A repeated field is an
 * array, a map an object, an enum's value its name (its number where it has none). A field that is
 * not there is null where it can be told from its default (proto2, optional, oneof, messages), else
 * the default. Timestamp is a time, Duration a text that interval reads, a wrapper its value, Struct
 * and Value are JSON. Unknown fields are passed over.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_DECODE_PROTOBUF_H
#define MQTT2PG_DECODE_DECODE_PROTOBUF_H

#include "decode/decoder.h"

enum outcome decode_protobuf(const struct decode_input *input, struct arena *arena,
                             const struct node **root, struct error *error) MUST_CHECK;

/* Reads the descriptor set and finds the message. */
enum outcome decode_protobuf_prepare(const struct format_options *options, void **out,
                                     struct place *place, struct error *error) MUST_CHECK;
void decode_protobuf_release(void *released);

#endif
