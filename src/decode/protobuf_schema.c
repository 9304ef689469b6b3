/*
 * Two passes over the set: the first counts and names messages and enums, nested ones too, the
 * second fills them; then type names are resolved.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/protobuf_schema.h"

#include <assert.h>
#include <stdlib.h>

#include "base/text.h"
#include "decode/protobuf_wire.h"

/* Field numbers of descriptor.proto. */
enum { SET_FILE = 1 };
enum { FILE_PACKAGE = 2, FILE_MESSAGE = 4, FILE_ENUM = 5, FILE_SYNTAX = 12 };
enum { MESSAGE_NAME = 1, MESSAGE_FIELD = 2, MESSAGE_NESTED = 3, MESSAGE_ENUM = 4 };
enum { MESSAGE_OPTIONS = 7, OPTIONS_MAP_ENTRY = 7 };
enum { FIELD_NAME = 1, FIELD_NUMBER = 3, FIELD_LABEL = 4, FIELD_TYPE = 5, FIELD_TYPE_NAME = 6 };
enum { FIELD_ONE_OF = 9, FIELD_PROTO3_OPTIONAL = 17 };
enum { ENUM_NAME = 1, ENUM_VALUE = 2, VALUE_NAME = 1, VALUE_NUMBER = 2 };
enum { NESTED_MAX = 64 };

struct loader {
    struct arena *arena;
    struct proto_schema *schema;
    bool filling; /* the second pass */
    bool proto3;
    const char *wrong;
};

/* "package.Message.Nested": names of types are written out in full. */
static struct slice join(struct loader *loader, struct slice scope, struct slice name)
{
    return scope.length == 0
               ? name
               : arena_printf(loader->arena, "%.*s.%.*s", SLICE_ARGS(scope), SLICE_ARGS(name));
}

/* The last value of a field of bytes, or the empty slice. */
static struct slice bytes_of(struct slice message, uint32_t number)
{
    struct wire wire = wire_begin(message);
    struct wire_field field;
    struct slice found = {0};
    while (wire_next(&wire, &field)) {
        if (field.number == number && field.type == WIRE_BYTES) {
            found = field.bytes;
        }
    }
    return found;
}

/* --- enums ------------------------------------------------------------------------------------ */

static int compare_values(const void *left, const void *right)
{
    int32_t a = ((const struct proto_enum_value *) left)->number;
    int32_t b = ((const struct proto_enum_value *) right)->number;
    return (a > b) - (a < b);
}

/* How many fields of bytes with this number there are: so many places a list needs. */
static size_t count_fields(struct slice message, uint32_t number)
{
    struct wire wire = wire_begin(message);
    struct wire_field field;
    size_t count = 0;
    while (wire_next(&wire, &field)) {
        count += field.number == number && field.type == WIRE_BYTES;
    }
    return count;
}

static void read_enum_value(struct slice bytes, struct proto_enum_value *value)
{
    struct wire wire = wire_begin(bytes);
    struct wire_field field;
    *value = (struct proto_enum_value){0};
    while (wire_next(&wire, &field)) {
        if (field.number == VALUE_NAME && field.type == WIRE_BYTES) {
            value->name = field.bytes;
        } else if (field.number == VALUE_NUMBER && field.type == WIRE_VARINT) {
            value->number = (int32_t) field.integer;
        }
    }
}

/* EnumDescriptorProto. With allow_alias a number has several names; which of them is shown is
 * open. */
static void read_enum(struct loader *loader, struct slice bytes, struct slice scope)
{
    struct proto_schema *schema = loader->schema;
    if (!loader->filling) {
        schema->enum_count++;
        return;
    }
    struct proto_enum *out = &schema->enums[schema->enum_count++];
    struct wire wire = wire_begin(bytes);
    struct wire_field field;
    out->name = join(loader, scope, bytes_of(bytes, ENUM_NAME));
    out->count = 0;
    out->values =
        arena_alloc(loader->arena, (count_fields(bytes, ENUM_VALUE) + 1) * sizeof(*out->values));
    while (wire_next(&wire, &field)) {
        if (field.number == ENUM_VALUE && field.type == WIRE_BYTES) {
            read_enum_value(field.bytes, &out->values[out->count++]);
        }
    }
    assert(out->count <= count_fields(bytes, ENUM_VALUE));
    qsort(out->values, out->count, sizeof(*out->values), compare_values);
}

/* --- fields ----------------------------------------------------------------------------------- */

/* Which of a field's numbers this is. */
static void take_field_number(struct proto_field *out, const struct wire_field *field,
                              bool *proto3_optional)
{
    switch (field->number) {
    case FIELD_NUMBER:
        out->number = (uint32_t) field->integer;
        break;
    case FIELD_LABEL:
        out->label = (enum proto_label) field->integer;
        break;
    case FIELD_TYPE:
        out->type = (enum proto_type) field->integer;
        break;
    case FIELD_ONE_OF:
        out->one_of = (int32_t) field->integer;
        break;
    case FIELD_PROTO3_OPTIONAL:
        *proto3_optional = field->integer != 0;
        break;
    default:
        break;
    }
}

/* FieldDescriptorProto. Presence: proto2 has it for all singular fields; proto3 for messages,
 * members of a oneof and `optional`, which protoc puts into a oneof of its own and marks (field
 * 17). */
static void read_field(struct loader *loader, struct slice bytes, struct proto_field *out)
{
    struct wire wire = wire_begin(bytes);
    struct wire_field field;
    bool proto3_optional = false;
    *out = (struct proto_field){.label = PROTO_OPTIONAL, .one_of = -1};
    while (wire_next(&wire, &field)) {
        if (field.type == WIRE_VARINT) {
            take_field_number(out, &field, &proto3_optional);
        } else if (field.number == FIELD_NAME && field.type == WIRE_BYTES) {
            out->name = field.bytes;
        } else if (field.number == FIELD_TYPE_NAME && field.type == WIRE_BYTES) {
            out->type_name = field.bytes;
        }
    }
    if (out->type < PROTO_DOUBLE || out->type > PROTO_SINT64 || out->number == 0 ||
        !text_is_utf8(out->name)) {
        loader->wrong = "a field without number, name or type";
    }
    out->presence =
        out->label != PROTO_REPEATED && (!loader->proto3 || proto3_optional || out->one_of >= 0 ||
                                         out->type == PROTO_MESSAGE || out->type == PROTO_GROUP);
}

static int compare_numbers(const void *left, const void *right)
{
    uint32_t a = (*(struct proto_field *const *) left)->number;
    uint32_t b = (*(struct proto_field *const *) right)->number;
    return (a > b) - (a < b);
}

/* --- messages --------------------------------------------------------------------------------- */

/* Well-known types, by their full names: whoever writes another message of that name and package
 * gets its meaning, too. */
static enum proto_meaning meaning_of(struct slice name)
{
    static const struct {
        const char *name;
        enum proto_meaning meaning;
    } known[] = {
        {"Timestamp", PROTO_TIMESTAMP},     {"Duration", PROTO_DURATION},
        {"Struct", PROTO_TRANSPARENT},      {"ListValue", PROTO_TRANSPARENT},
        {"Value", PROTO_ONE_OF_ALL},        {"DoubleValue", PROTO_TRANSPARENT},
        {"FloatValue", PROTO_TRANSPARENT},  {"Int64Value", PROTO_TRANSPARENT},
        {"UInt64Value", PROTO_TRANSPARENT}, {"Int32Value", PROTO_TRANSPARENT},
        {"UInt32Value", PROTO_TRANSPARENT}, {"BoolValue", PROTO_TRANSPARENT},
        {"StringValue", PROTO_TRANSPARENT}, {"BytesValue", PROTO_TRANSPARENT},
    };
    static const char package[] = "google.protobuf.";
    size_t length = sizeof(package) - 1;
    if (name.length > length && memcmp(name.data, package, length) == 0) {
        struct slice last = slice_make(name.data + length, name.length - length);
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            if (slice_is(last, known[i].name)) {
                return known[i].meaning;
            }
        }
    }
    return PROTO_PLAIN;
}

/* A map<K, V> is a repeated message of a nested type with the option map_entry, key 1 and value
 * 2. */
static bool is_map_entry(struct slice options)
{
    struct wire wire = wire_begin(options);
    struct wire_field field;
    bool entry = false;
    while (wire_next(&wire, &field)) {
        if (field.number == OPTIONS_MAP_ENTRY && field.type == WIRE_VARINT) {
            entry = field.integer != 0;
        }
    }
    return entry;
}

/* Fields stay in the order of the file, which is that of the document; by_number is for finding
 * them. */
static void fill_message(struct loader *loader, struct slice bytes, struct proto_message *out)
{
    size_t count = count_fields(bytes, MESSAGE_FIELD);
    struct wire wire = wire_begin(bytes);
    struct wire_field field;
    out->map_entry = is_map_entry(bytes_of(bytes, MESSAGE_OPTIONS));
    out->meaning = meaning_of(out->name);
    out->fields = arena_alloc(loader->arena, (count + 1) * sizeof(*out->fields));
    out->by_number = arena_alloc(loader->arena, (count + 1) * sizeof(struct proto_field *));
    out->field_count = 0;
    while (wire_next(&wire, &field)) {
        if (field.number == MESSAGE_FIELD && field.type == WIRE_BYTES) {
            struct proto_field *one = &out->fields[out->field_count];
            read_field(loader, field.bytes, one);
            out->by_number[out->field_count++] = one;
        }
    }
    assert(out->field_count == count);
    qsort(out->by_number, count, sizeof(struct proto_field *), compare_numbers);
    bool shaped = out->meaning == PROTO_PLAIN || out->field_count > 0;
    if (!shaped || (out->map_entry && out->field_count != 2)) {
        loader->wrong = "a map or well-known type of another shape";
    }
}

/* DescriptorProto. Nested types come behind their parent in the list, in both passes alike. */
static void read_message(struct loader *loader, struct slice bytes, struct slice scope, int depth)
{
    struct proto_schema *schema = loader->schema;
    struct slice name = join(loader, scope, bytes_of(bytes, MESSAGE_NAME));
    struct wire wire = wire_begin(bytes);
    struct wire_field field;
    if (depth > NESTED_MAX) {
        loader->wrong = "messages nested too deep";
        return;
    }
    if (loader->filling) {
        struct proto_message *out = &schema->messages[schema->message_count];
        *out = (struct proto_message){.name = name};
        fill_message(loader, bytes, out);
    }
    schema->message_count++;
    while (wire_next(&wire, &field)) {
        if (field.number == MESSAGE_NESTED && field.type == WIRE_BYTES) {
            read_message(loader, field.bytes, name, depth + 1);
        } else if (field.number == MESSAGE_ENUM && field.type == WIRE_BYTES) {
            read_enum(loader, field.bytes, name);
        }
    }
    loader->wrong = wire.wrong != NULL ? wire.wrong : loader->wrong;
}

/* FileDescriptorProto. No `syntax` is proto2; "editions" has the presence of proto2 unless features
 * say otherwise, which are not read. */
static void read_file(struct loader *loader, struct slice bytes)
{
    struct slice package = bytes_of(bytes, FILE_PACKAGE);
    struct wire wire = wire_begin(bytes);
    struct wire_field field;
    loader->proto3 = slice_is(bytes_of(bytes, FILE_SYNTAX), "proto3");
    while (wire_next(&wire, &field)) {
        if (field.number == FILE_MESSAGE && field.type == WIRE_BYTES) {
            read_message(loader, field.bytes, package, 0);
        } else if (field.number == FILE_ENUM && field.type == WIRE_BYTES) {
            read_enum(loader, field.bytes, package);
        }
    }
    loader->wrong = wire.wrong != NULL ? wire.wrong : loader->wrong;
}

static void read_set(struct loader *loader, struct slice set)
{
    struct wire wire = wire_begin(set);
    struct wire_field field;
    loader->schema->message_count = loader->schema->enum_count = 0;
    while (wire_next(&wire, &field)) {
        if (field.number == SET_FILE && field.type == WIRE_BYTES) {
            read_file(loader, field.bytes);
        } else {
            loader->wrong = "something that is not a file";
        }
    }
    loader->wrong = wire.wrong != NULL ? wire.wrong : loader->wrong;
}

/* --- names to types --------------------------------------------------------------------------- */

static const struct proto_enum *find_enum(const struct proto_schema *schema, struct slice name)
{
    for (size_t i = 0; i < schema->enum_count; i++) {
        if (slice_equal(schema->enums[i].name, name)) {
            return &schema->enums[i];
        }
    }
    return NULL;
}

/* protoc writes type names in full, with a dot in front. */
static bool resolve(const struct proto_schema *schema, struct proto_field *field)
{
    struct slice name = field->type_name;
    if (name.length > 0 && name.data[0] == '.') {
        name = slice_make(name.data + 1, name.length - 1);
    }
    if (field->type == PROTO_ENUM) {
        field->enumeration = find_enum(schema, name);
        return field->enumeration != NULL;
    }
    if (field->type == PROTO_MESSAGE || field->type == PROTO_GROUP) {
        field->message = proto_schema_find(schema, name);
        return field->message != NULL;
    }
    return true;
}

static enum outcome resolve_all(struct proto_schema *schema, struct error *error)
{
    for (size_t i = 0; i < schema->message_count; i++) {
        struct proto_message *message = &schema->messages[i];
        for (size_t k = 0; k < message->field_count; k++) {
            if (!resolve(schema, &message->fields[k])) {
                return error_set(error, OUTCOME_REJECT,
                                 "the type of %.*s.%.*s is not in it: write it with protoc "
                                 "--include_imports",
                                 SLICE_ARGS(message->name), SLICE_ARGS(message->fields[k].name));
            }
        }
    }
    return OUTCOME_OK;
}

enum outcome proto_schema_read(struct slice set, struct arena *arena, struct proto_schema *schema,
                               struct error *error)
{
    struct loader loader = {.arena = arena, .schema = schema};
    *schema = (struct proto_schema){0};
    read_set(&loader, set);
    schema->messages = arena_alloc(arena, (schema->message_count + 1) * sizeof(*schema->messages));
    schema->enums = arena_alloc(arena, (schema->enum_count + 1) * sizeof(*schema->enums));
    size_t messages = schema->message_count;
    size_t enums = schema->enum_count;
    loader.filling = true;
    if (loader.wrong == NULL) {
        read_set(&loader, set);
    }
    /* The second pass has found as many as the first one counted. */
    assert(schema->message_count == messages && schema->enum_count == enums);
    if (loader.wrong != NULL || schema->message_count == 0) {
        return error_set(error, OUTCOME_REJECT,
                         "no descriptor set (%s): protoc "
                         "--include_imports -o FILE writes one",
                         loader.wrong != NULL ? loader.wrong : "it has no message");
    }
    return resolve_all(schema, error);
}

const struct proto_message *proto_schema_find(const struct proto_schema *schema, struct slice name)
{
    for (size_t i = 0; i < schema->message_count; i++) {
        if (slice_equal(schema->messages[i].name, name)) {
            return &schema->messages[i];
        }
    }
    return NULL;
}

const struct proto_field *proto_field_find(const struct proto_message *message, uint32_t number)
{
    size_t low = 0;
    size_t high = message->field_count;
    /* Most messages number their fields 1, 2, 3, …: then the number is the place. */
    assert(number > 0); /* protobuf_wire refuses 0 */
    if (number - 1 < high && message->by_number[number - 1]->number == number) {
        return message->by_number[number - 1];
    }
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct proto_field *field = message->by_number[middle];
        if (field->number == number) {
            return field;
        }
        low = field->number < number ? middle + 1 : low;
        high = field->number < number ? high : middle;
    }
    return NULL;
}

struct slice proto_enum_name(const struct proto_enum *enumeration, int32_t number)
{
    size_t low = 0;
    size_t high = enumeration->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (enumeration->values[middle].number == number) {
            return enumeration->values[middle].name;
        }
        bool below = enumeration->values[middle].number < number;
        low = below ? middle + 1 : low;
        high = below ? high : middle;
    }
    return (struct slice){0};
}
