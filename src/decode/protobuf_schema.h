/*
 * protobuf_schema: the messages of a descriptor set, which `protoc --include_imports -o FILE`
 * writes: a FileDescriptorSet of google/protobuf/descriptor.proto.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_PROTOBUF_SCHEMA_H
#define MQTT2PG_DECODE_PROTOBUF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/outcome.h"
#include "base/slice.h"

/* FieldDescriptorProto.Type. */
enum proto_type {
    PROTO_DOUBLE = 1,
    PROTO_FLOAT,
    PROTO_INT64, /* a varint of ten bytes where it is negative */
    PROTO_UINT64,
    PROTO_INT32, /* likewise */
    PROTO_FIXED64,
    PROTO_FIXED32,
    PROTO_BOOL,
    PROTO_STRING,
    PROTO_GROUP, /* proto2: a message without a length */
    PROTO_MESSAGE,
    PROTO_BYTES,
    PROTO_UINT32,
    PROTO_ENUM,
    PROTO_SFIXED32,
    PROTO_SFIXED64,
    PROTO_SINT32, /* zigzag: 0, -1, 1, -2, … travel as 0, 1, 2, 3, … */
    PROTO_SINT64,
};

enum proto_label { PROTO_OPTIONAL = 1, PROTO_REQUIRED, PROTO_REPEATED };

/* What a message stands for that has a meaning of its own. Any, Empty and FieldMask have none here:
 * they are objects of their fields. */
enum proto_meaning {
    PROTO_PLAIN,
    PROTO_TIMESTAMP,
    PROTO_DURATION,
    PROTO_TRANSPARENT, /* its first field: wrappers, Struct, ListValue */
    PROTO_ONE_OF_ALL,  /* the field that is set: Value */
};

struct proto_enum_value {
    int32_t number;
    struct slice name;
};

struct proto_enum {
    struct slice name; /* with its package */
    struct proto_enum_value *values;
    size_t count;
};

struct proto_message;

/* A field as its descriptor has it, with its type found. */
struct proto_field {
    struct slice name;
    uint32_t number;
    enum proto_type type;
    enum proto_label label;
    bool presence;  /* not there is null; else it is the default, or an empty array or object */
    int32_t one_of; /* index among the message's; -1 = in none */
    struct slice type_name;
    const struct proto_message *message; /* of MESSAGE and GROUP */
    const struct proto_enum *enumeration;
};

/* A message type, with the fields in two orders. */
struct proto_message {
    struct slice name;          /* with its package */
    struct proto_field *fields; /* in the order of the file */
    size_t field_count;
    struct proto_field **by_number; /* ascending */
    bool map_entry;
    enum proto_meaning meaning;
};

/* All types of a descriptor set. */
struct proto_schema {
    struct proto_message *messages;
    size_t message_count;
    struct proto_enum *enums;
    size_t enum_count;
};

/* Everything lives in `arena`; names borrow `set`. OUTCOME_REJECT when these bytes are no
 * descriptor set, or one of its files misses an import. */
enum outcome proto_schema_read(struct slice set, struct arena *arena, struct proto_schema *schema,
                               struct error *error) MUST_CHECK;

/* By its name with package; NULL when there is none. */
const struct proto_message *proto_schema_find(const struct proto_schema *schema, struct slice name);

/* The field with this number, or NULL. */
const struct proto_field *proto_field_find(const struct proto_message *message, uint32_t number);

/* The name of an enum's value, or an empty slice. */
struct slice proto_enum_name(const struct proto_enum *enumeration, int32_t number);

#endif
