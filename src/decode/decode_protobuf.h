/*
 * decode_protobuf: the format "protobuf": one message of a descriptor set (decode/protobuf_schema).
 *
 *   payload ──protobuf_wire──▶ fields as they came ──protobuf_pieces──▶ the pieces of each field
 *           ──this file──▶ members in the order of the .proto file
 *
 * Members have the fields' own names, not json_name: rules name what stands in the .proto file. A
 * repeated field is an array, a map an object, an enum's value its name (its number where it has
 * none). A field that is not there is null where that can be told from its default (proto2,
 * optional, oneof, messages), else its default.
 *
 * Well-known types of the package google.protobuf: Timestamp is a TIME, Duration a text that
 * interval reads, a wrapper its value, Struct, Value and ListValue are JSON. All other messages are
 * objects.
 *
 * Unknown fields are passed over, so that publishers may be newer than the descriptor. A message
 * without a required field of proto2 is rejected.
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
