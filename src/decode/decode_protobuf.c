/*
 * A message is written member by member in the order of its descriptor. For each member:
 *
 *   came        repeated              array, or object where its type is a map entry
 *               message               object, or what a well-known type means
 *               scalar, enum          the last one that came
 *   came not    required              the message is rejected
 *               with presence         null
 *               repeated              [] or {}
 *               else                  the default of its type: 0, "", false, the enum's name of 0
 *
 * Default values that a .proto file of proto2 declares are not used: an absent field is null there,
 * which says more.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/decode_protobuf.h"

#include <assert.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "decode/protobuf_pieces.h"
#include "decode/protobuf_wire.h"

enum { DESCRIPTOR_BYTES_MAX = 64 << 20 };
enum { NANOSECONDS = 1000000000 };

/* What a rule keeps: its descriptor set and the message in it. Owned by the rule; made by
 * prepare. */
struct state {
    struct arena *arena;
    struct buf set;
    struct proto_schema schema;
    const struct proto_message *message;
};

static bool write_field(struct proto_reader *reader, const struct proto_field *field,
                        const struct proto_pieces *pieces, struct slice key);

/* --- scalars --------------------------------------------------------------------------------- */

/* Enums are open in proto3: a number that a newer publisher knows is kept as a number. */
static bool write_enum(struct proto_reader *reader, const struct proto_enum *enumeration,
                       struct slice key, int32_t number)
{
    struct slice name = proto_enum_name(enumeration, number);
    return name.length > 0 ? binary_add(&reader->binary, VALUE_TEXT, key, name)
                           : binary_add_signed(&reader->binary, key, number);
}

static bool write_text(struct proto_reader *reader, struct slice key, struct slice text)
{
    if (!text_is_utf8(text)) {
        return proto_fail(reader, text.data, "a text is not UTF-8");
    }
    return binary_add(&reader->binary, VALUE_TEXT, key, text);
}

/* The bits as they travelled, by the type that the descriptor says. A varint of a 32-bit type is
 * cut to 32 bits, as the specification asks for, so that a negative int32 with ten bytes comes out
 * right. */
static bool write_scalar(struct proto_reader *reader, const struct proto_field *field,
                         const struct proto_piece *piece, struct slice key)
{
    struct binary *binary = &reader->binary;
    uint64_t integer = piece->integer;
    switch (field->type) {
    case PROTO_DOUBLE:
    case PROTO_FLOAT:
        return binary_add_real_bits(binary, key, integer, field->type == PROTO_FLOAT);
    case PROTO_INT64:
    case PROTO_SFIXED64:
        return binary_add_signed(binary, key, (int64_t) integer);
    case PROTO_INT32:
    case PROTO_SFIXED32:
        return binary_add_signed(binary, key, (int32_t) integer);
    case PROTO_UINT64:
    case PROTO_FIXED64:
        return binary_add_unsigned(binary, key, integer);
    case PROTO_UINT32:
    case PROTO_FIXED32:
        return binary_add_unsigned(binary, key, (uint32_t) integer);
    case PROTO_SINT32:
        return binary_add_signed(binary, key, wire_zigzag((uint32_t) integer));
    case PROTO_SINT64:
        return binary_add_signed(binary, key, wire_zigzag(integer));
    case PROTO_BOOL:
        return binary_add_boolean(binary, key, integer != 0);
    case PROTO_ENUM:
        return write_enum(reader, field->enumeration, key, (int32_t) integer);
    case PROTO_STRING:
        return write_text(reader, key, piece->bytes);
    default:
        return binary_add(binary, VALUE_BYTES, key, piece->bytes);
    }
}

/* --- messages --------------------------------------------------------------------------------- */

/* seconds and nanos of Timestamp and Duration, fields 1 and 2. */
static bool read_seconds(struct proto_reader *reader, struct slice bytes, int64_t *seconds,
                         int32_t *nanoseconds)
{
    struct wire wire = wire_begin(bytes);
    struct wire_field field;
    *seconds = 0;
    *nanoseconds = 0;
    while (wire_next(&wire, &field)) {
        if (field.number == 1 && field.type == WIRE_VARINT) {
            *seconds = (int64_t) field.integer;
        } else if (field.number == 2 && field.type == WIRE_VARINT) {
            *nanoseconds = (int32_t) field.integer;
        }
    }
    return wire.wrong == NULL || proto_fail(reader, wire.at, wire.wrong);
}

/* google.protobuf.Timestamp: nanos count forward, so 1.5 s before 1970 is {-2, 500000000}. */
static bool write_timestamp(struct proto_reader *reader, struct slice key, struct slice bytes)
{
    int64_t seconds;
    int32_t nanoseconds;
    int64_t time_us;
    if (!read_seconds(reader, bytes, &seconds, &nanoseconds)) {
        return false;
    }
    if (nanoseconds < 0 || nanoseconds >= NANOSECONDS ||
        !binary_time(seconds, (uint32_t) nanoseconds, &time_us)) {
        return proto_fail(reader, bytes.data, "a timestamp is out of range");
    }
    return binary_add_time(&reader->binary, key, time_us);
}

/* google.protobuf.Duration: both parts have the same sign. "-3.000000005 seconds" is what interval
 * columns read. */
static bool write_duration(struct proto_reader *reader, struct slice key, struct slice bytes)
{
    int64_t seconds;
    int32_t nanoseconds;
    if (!read_seconds(reader, bytes, &seconds, &nanoseconds)) {
        return false;
    }
    bool negative = seconds < 0 || nanoseconds < 0;
    if (nanoseconds <= -NANOSECONDS || nanoseconds >= NANOSECONDS || seconds == INT64_MIN ||
        (negative && (seconds > 0 || nanoseconds > 0))) {
        return proto_fail(reader, bytes.data, "a duration is out of range");
    }
    return binary_add(&reader->binary, VALUE_TEXT, key,
                      arena_printf(reader->binary.nodes.arena, "%s%lld.%09d seconds",
                                   negative ? "-" : "", (long long) llabs(seconds),
                                   abs(nanoseconds)));
}

/* Writes the first field in place of the message: PROTO_TRANSPARENT. */
static bool write_first(struct proto_reader *reader, const struct proto_message *message,
                        struct slice bytes, struct slice key)
{
    assert(message->field_count > 0); /* protobuf_schema refuses well-known types without */
    struct proto_pieces *pieces = proto_collect(reader, message, bytes);
    return pieces != NULL && write_field(reader, &message->fields[0], &pieces[0], key);
}

/* google.protobuf.Value: the field that is set; null_value and none are null. */
static bool write_any(struct proto_reader *reader, const struct proto_message *message,
                      struct slice bytes, struct slice key)
{
    struct proto_pieces *pieces = proto_collect(reader, message, bytes);
    for (size_t i = 0; pieces != NULL && i < message->field_count; i++) {
        if (pieces[i].count > 0 && message->fields[i].type != PROTO_ENUM) {
            return write_field(reader, &message->fields[i], &pieces[i], key);
        }
    }
    return pieces != NULL && binary_add(&reader->binary, VALUE_NULL, key, (struct slice){0});
}

/* Names within one message are unique by protoc, so no duplicates are looked for. */
static bool write_members(struct proto_reader *reader, const struct proto_message *message,
                          struct slice bytes, struct slice key)
{
    struct proto_pieces *pieces = proto_collect(reader, message, bytes);
    struct binary_container object;
    if (pieces == NULL || !binary_open(&reader->binary, VALUE_OBJECT, key, reader->at, &object)) {
        return false;
    }
    for (size_t i = 0; i < message->field_count; i++) {
        if (!write_field(reader, &message->fields[i], &pieces[i], message->fields[i].name)) {
            return false;
        }
    }
    assert(object.count == 0); /* names of fields are unique: nobody has counted them */
    nodes_close(&reader->binary.nodes, object.index, (uint32_t) message->field_count);
    return true;
}

/* Depth is bounded before anything is collected: messages without a node of their own, Struct and
 * Value, nest through lists and maps, which have one. */
static bool write_message(struct proto_reader *reader, const struct proto_message *message,
                          struct slice bytes, struct slice key)
{
    if (reader->binary.nodes.depth >= NODES_DEPTH_MAX) {
        return proto_fail(reader, bytes.data, "nested too deep");
    }
    switch (message->meaning) {
    case PROTO_TIMESTAMP:
        return write_timestamp(reader, key, bytes);
    case PROTO_DURATION:
        return write_duration(reader, key, bytes);
    case PROTO_TRANSPARENT:
        return write_first(reader, message, bytes, key);
    case PROTO_ONE_OF_ALL:
        return write_any(reader, message, bytes, key);
    case PROTO_PLAIN:
        break;
    }
    return write_members(reader, message, bytes, key);
}

/* A message that came in several pieces is what their bytes make one behind the other: `whole`. The
 * copies count as memory, because each level of messages may be copied once more. */
static bool merge(struct proto_reader *reader, const struct proto_pieces *pieces,
                  struct slice *whole)
{
    size_t length = 0;
    assert(pieces->count > 0);
    *whole = pieces->first.bytes;
    if (pieces->count == 1) {
        return true;
    }
    for (const struct proto_piece *piece = &pieces->first; piece != NULL; piece = piece->next) {
        length += piece->bytes.length;
    }
    char *all = proto_take(reader, length);
    if (all == NULL) {
        return false;
    }
    char *at = all;
    for (const struct proto_piece *piece = &pieces->first; piece != NULL; piece = piece->next) {
        if (piece->bytes.length > 0) {
            assert(piece->bytes.data != NULL);
            memcpy(at, piece->bytes.data, piece->bytes.length);
            at += piece->bytes.length;
        }
    }
    assert(at == all + length);
    *whole = slice_make(all, length);
    return true;
}

/* --- maps ------------------------------------------------------------------------------------- */

/* NULL when nothing came. */
static const struct proto_piece *first_of(const struct proto_pieces *pieces)
{
    return pieces->count > 0 ? &pieces->first : NULL;
}

struct entry {
    struct slice name;
    size_t order;
    const struct proto_pieces *value;
};

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;
    size_t length = a->name.length < b->name.length ? a->name.length : b->name.length;
    int order = length == 0 ? 0 : memcmp(a->name.data, b->name.data, length);
    if (order == 0 && a->name.length != b->name.length) {
        order = a->name.length < b->name.length ? -1 : 1;
    }
    return order != 0 ? order : a->order < b->order ? -1 : 1;
}

/* Keys of maps are texts, integers or booleans. */
static bool name_of_key(struct proto_reader *reader, const struct proto_field *field,
                        const struct proto_pieces *pieces, struct slice *name)
{
    static const struct proto_piece none = {0};
    const struct proto_piece *piece = pieces->last != NULL ? pieces->last : &none;
    if (field->type == PROTO_STRING) {
        *name = piece->bytes;
        return text_is_utf8(*name) || proto_fail(reader, name->data, "a text is not UTF-8");
    }
    if (field->type == PROTO_BOOL) {
        *name = slice_of(piece->integer != 0 ? "true" : "false");
        return true;
    }
    /* A number: written as a value, and the node taken back. */
    struct nodes *nodes = &reader->binary.nodes;
    if (!write_scalar(reader, field, piece, (struct slice){0})) {
        return false;
    }
    assert(nodes->count > 0 && nodes->list[nodes->count - 1].span == 1);
    *name = nodes->list[--nodes->count].text;
    return true;
}

/* By name, and of those with the same name the last one. */
static bool write_map(struct proto_reader *reader, const struct proto_message *entry_type,
                      const struct proto_pieces *pieces, struct slice key)
{
    struct entry *entries = /* no more than the pieces, which are bounded */
        arena_alloc(reader->binary.nodes.arena, (pieces->count + 1) * sizeof(*entries));
    size_t count = 0;
    uint32_t members = 0;
    struct binary_container object;
    if (!binary_open(&reader->binary, VALUE_OBJECT, key, reader->at, &object)) {
        return false;
    }
    for (const struct proto_piece *piece = first_of(pieces); piece != NULL; piece = piece->next) {
        struct proto_pieces *parts = proto_collect(reader, entry_type, piece->bytes);
        if (parts == NULL ||
            !name_of_key(reader, &entry_type->fields[0], &parts[0], &entries[count].name)) {
            return false;
        }
        entries[count].order = count;
        entries[count++].value = &parts[1];
    }
    assert(count == pieces->count && entry_type->field_count == 2);
    qsort(entries, count, sizeof(*entries), compare_entries);
    struct proto_field value = entry_type->fields[1];
    value.presence = false; /* an entry without a value has the default one */
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && slice_equal(entries[i].name, entries[i + 1].name)) {
            continue;
        }
        if (!write_field(reader, &value, entries[i].value, entries[i].name)) {
            return false;
        }
        members++;
    }
    assert(members <= count);
    nodes_close(&reader->binary.nodes, object.index, members);
    return true;
}

/* --- fields ----------------------------------------------------------------------------------- */

static bool is_message(const struct proto_field *field)
{
    return field->type == PROTO_MESSAGE || field->type == PROTO_GROUP;
}

/* All pieces that came, packed or not, in their order. */
static bool write_array(struct proto_reader *reader, const struct proto_field *field,
                        const struct proto_pieces *pieces, struct slice key)
{
    struct binary_container array;
    if (!binary_open(&reader->binary, VALUE_ARRAY, key, reader->at, &array)) {
        return false;
    }
    for (const struct proto_piece *piece = first_of(pieces); piece != NULL; piece = piece->next) {
        bool written = is_message(field)
                           ? write_message(reader, field->message, piece->bytes, (struct slice){0})
                           : write_scalar(reader, field, piece, (struct slice){0});
        if (!written) {
            return false;
        }
    }
    nodes_close(&reader->binary.nodes, array.index, (uint32_t) pieces->count);
    return true;
}

/* See the table at the top. */
static bool write_absent(struct proto_reader *reader, const struct proto_field *field,
                         struct slice key)
{
    static const struct proto_piece none = {0};
    if (field->label == PROTO_REQUIRED) {
        error_set(reader->binary.error, OUTCOME_REJECT,
                  "byte %zu: the required field \"%.*s\" is missing",
                  (size_t) (reader->at - reader->binary.begin) + 1, SLICE_ARGS(field->name));
        return false;
    }
    if (field->presence) {
        return binary_add(&reader->binary, VALUE_NULL, key, (struct slice){0});
    }
    return is_message(field) ? write_message(reader, field->message, (struct slice){0}, key)
                             : write_scalar(reader, field, &none, key);
}

/* While a field is written, `reader->at` is the field's beginning in the payload: errors in parts
 * that were merged into a copy name that place. */
static bool write_field(struct proto_reader *reader, const struct proto_field *field,
                        const struct proto_pieces *pieces, struct slice key)
{
    const char *outer = reader->at;
    const char *first = pieces->first.bytes.data; /* NULL when nothing came */
    if (first != NULL && first >= reader->binary.begin && first < reader->binary.end) {
        reader->at = first;
    }
    bool written;
    if (field->label == PROTO_REPEATED) {
        written = is_message(field) && field->message->map_entry
                      ? write_map(reader, field->message, pieces, key)
                      : write_array(reader, field, pieces, key);
    } else if (pieces->count == 0) {
        written = write_absent(reader, field, key);
    } else {
        struct slice whole;
        written = is_message(field) ? merge(reader, pieces, &whole) &&
                                          write_message(reader, field->message, whole, key)
                                    : write_scalar(reader, field, pieces->last, key);
    }
    reader->at = outer;
    return written;
}

enum outcome decode_protobuf(const struct decode_input *input, struct arena *arena,
                             const struct node **root, struct error *error)
{
    const struct state *state = input->state;
    struct proto_reader reader;
    binary_init(&reader.binary, input->payload, arena, error);
    assert(state != NULL && state->message != NULL); /* prepare() has found it */
    reader.at = reader.binary.begin;
    reader.bytes = 0;
    bool good = write_message(&reader, state->message, input->payload, (struct slice){0});
    *root = reader.binary.nodes.list;
    return good ? OUTCOME_OK : OUTCOME_REJECT;
}

/* --- the descriptor set ----------------------------------------------------------------------- */

/* A message that is not there is a mistake of the configuration: `check` suggests a similar
 * name. */
static enum outcome find_message(struct state *state, const char *name, struct error *error)
{
    const struct proto_schema *schema = &state->schema;
    state->message = proto_schema_find(schema, slice_of(name));
    if (state->message != NULL) {
        return OUTCOME_OK;
    }
    const char **names = arena_alloc(state->arena, schema->message_count * sizeof(names[0]));
    for (size_t i = 0; i < schema->message_count; i++) {
        names[i] = arena_copy(state->arena, schema->messages[i].name).data;
    }
    const char *meant =
        text_suggest(slice_of(name), names, schema->message_count, sizeof(names[0]));
    return error_set(error, OUTCOME_REJECT, "no message \"%s\" in the descriptor set (%s %s)", name,
                     meant != NULL ? "did you mean" : "its last one is",
                     meant != NULL ? meant : names[schema->message_count - 1]);
}

/* Reads the file at each start, check and reload; decode() never touches it. */
enum outcome decode_protobuf_prepare(const struct format_options *options, void **out,
                                     struct place *place, struct error *error)
{
    const struct protobuf_options *given = &options->protobuf;
    if (given->descriptor == NULL || given->message.text == NULL) {
        return error_set(error, OUTCOME_REJECT,
                         "needs protobuf: { descriptor = \"sensor.desc\"; message = "
                         "\"package.Name\"; }");
    }
    struct state *state = memory_alloc(sizeof(*state));
    *out = state;
    *place = given->message.place;
    state->arena = arena_new(1 << 16);
    if (file_load(given->descriptor, DESCRIPTOR_BYTES_MAX, &state->set, error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    if (proto_schema_read(buf_slice(&state->set), state->arena, &state->schema, error) !=
        OUTCOME_OK) {
        error_prefix(error, "%s", given->descriptor);
        return OUTCOME_REJECT;
    }
    return find_message(state, given->message.text, error);
}

/* Reloading makes a new state and releases this one when no batch uses it any more. */
void decode_protobuf_release(void *released)
{
    struct state *state = released;
    arena_free(state->arena);
    buf_fini(&state->set);
    free(state);
}
