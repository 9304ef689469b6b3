/*
 * DataSet: 1 number of columns, 2 names, 3 types, 4 rows; Row: 1 elements; an element is a oneof of
 * fields 1 to 6. Names and types must be as many as each other, and so must the elements of each
 * row; field 1 is not needed to know that.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/sparkplug_dataset.h"

#include "decode/sparkplug_value.h"

enum { DATASET_COLUMNS = 2, DATASET_TYPES, DATASET_ROWS };

struct columns {
    struct slice *names;
    uint32_t *types;
    size_t count;
    size_t type_count;
};

/* Types are a repeated uint32: one a field, or packed. */
static void add_types(struct columns *columns, const struct wire_field *field, size_t room)
{
    struct wire packed = wire_begin(field->bytes);
    uint64_t type = field->integer;
    if (field->type == WIRE_VARINT && columns->type_count < room) {
        columns->types[columns->type_count++] = (uint32_t) type;
    }
    while (field->type == WIRE_BYTES && packed.at < packed.end && columns->type_count < room &&
           wire_varint(&packed, &type)) {
        columns->types[columns->type_count++] = (uint32_t) type;
    }
}

static bool read_columns(struct binary *binary, struct slice bytes, struct columns *columns)
{
    struct wire wire = wire_begin(bytes);
    struct wire_field field;
    size_t room = 0;
    while (wire_next(&wire, &field)) {
        room += field.number == DATASET_COLUMNS && field.type == WIRE_BYTES;
    }
    columns->names = arena_alloc(binary->nodes.arena, (room + 1) * sizeof(struct slice));
    columns->types = arena_alloc(binary->nodes.arena, (room + 1) * sizeof(uint32_t));
    columns->count = columns->type_count = 0;
    wire = wire_begin(bytes);
    while (wire_next(&wire, &field)) {
        if (field.number == DATASET_COLUMNS && field.type == WIRE_BYTES) {
            assert(columns->count < room);
            columns->names[columns->count++] = field.bytes;
            if (!binary_check_text(binary, field.bytes)) {
                return false;
            }
        } else if (field.number == DATASET_TYPES) {
            add_types(columns, &field, room);
        }
    }
    return sparkplug_wire_end(binary, &wire) &&
           (columns->count == columns->type_count ||
            binary_fail(binary, wire_begin(bytes).at,
                        "a DataSet with more or fewer columns than types"));
}

/* An element without a value is null. */
static bool write_element(struct binary *binary, struct slice bytes, uint32_t type,
                          struct slice key)
{
    struct wire wire = wire_begin(bytes);
    struct wire_field field;
    struct sparkplug_value value = {.kind = SPB_VALUE_NONE};
    while (wire_next(&wire, &field)) {
        sparkplug_value_take(&value, &field, 1);
    }
    if (!sparkplug_wire_end(binary, &wire)) {
        return false;
    }
    return value.kind == SPB_VALUE_NONE ? binary_add(binary, VALUE_NULL, key, (struct slice){0})
                                        : sparkplug_value_write(binary, type, &value, key);
}

/* An object by the names of the columns; a name twice is refused like everywhere. */
static bool write_row(struct binary *binary, struct slice bytes, const struct columns *columns)
{
    struct wire wire = wire_begin(bytes);
    struct wire_field field;
    struct binary_container object;
    if (!binary_open(binary, VALUE_OBJECT, (struct slice){0}, wire.at, &object)) {
        return false;
    }
    while (wire_next(&wire, &field)) {
        if (field.number != 1 || field.type != WIRE_BYTES) {
            continue;
        }
        size_t i = object.count;
        assert(columns->type_count == columns->count);
        if (i >= columns->count) {
            return binary_fail(binary, field.start, "a row with more values than columns");
        }
        if (!binary_name(binary, &object, columns->names[i], field.start) ||
            !write_element(binary, field.bytes, columns->types[i], columns->names[i])) {
            return false;
        }
    }
    return sparkplug_wire_end(binary, &wire) &&
           (object.count == columns->count ||
            binary_fail(binary, object.start, "a row with fewer values than columns")) &&
           binary_close(binary, &object);
}

bool sparkplug_dataset_write(struct binary *binary, struct slice bytes, struct slice key)
{
    struct wire wire = wire_begin(bytes);
    struct wire_field field;
    struct columns columns;
    struct binary_container array;
    if (!read_columns(binary, bytes, &columns) ||
        !binary_open(binary, VALUE_ARRAY, key, wire.at, &array)) {
        return false;
    }
    while (wire_next(&wire, &field)) {
        if (field.number == DATASET_ROWS && field.type == WIRE_BYTES) {
            if (!write_row(binary, field.bytes, &columns)) {
                return false;
            }
            array.count++;
        }
    }
    return sparkplug_wire_end(binary, &wire) && binary_close(binary, &array);
}
