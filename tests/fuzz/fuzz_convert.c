/*
 * Any bytes as a value into any type: byte 0 chooses the type, byte 1 the kind, the rest is the
 * text. Whatever is accepted can be written in every form, and the text form of what PostgreSQL
 * would print is read back as the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "core/property.h"
#include "decode/json_scan.h"
#include "fuzz.h"
#include "row/convert.h"
#include "row/copy_format.h"
#include "row/row_plan.h"

static const char *const types[] = {
    "bool",      "int2",          "int4",          "int8",         "float4",   "float8",
    "numeric",   "numeric(6,2)",  "numeric(3,-2)", "numeric(3,5)", "text",     "varchar(3)",
    "char(3)",   "bytea",         "json",          "jsonb",        "uuid",     "date",
    "time",      "time(2)",       "timestamp",     "timestamptz",  "interval", "interval(3)",
    "inet",      "cidr",          "mood",          "int4[]",       "text[]",   "jsonb[]",
    "numeric[]", "timestamptz[]", "mood[]",        "timestamp(0)", "name",
};

enum { TYPES = sizeof(types) / sizeof(types[0]) };

/* A value of the kind that byte 1 says; false when the bytes are none. */
static bool make_value(uint8_t kind, struct slice text, struct arena *arena, struct value *value)
{
    const struct node *root;
    switch (kind % 4) {
    case 0:
        *value = value_text(text);
        return text_is_utf8(text);
    case 1:
        *value = value_number(text);
        return json_is_number(text);
    case 2:
        *value = value_bytes(text);
        return true;
    default:
        if (json_scan(text, arena, &root, NULL) != OUTCOME_OK) {
            return false;
        }
        *value = node_value(root);
        return true;
    }
}

/* The text form, given as text again, must be accepted and come out alike: a second reading changes
 * nothing. */
static void check_stable(struct slice text, const struct column_shape *column, struct arena *arena)
{
    struct value again = value_text(text);
    struct datum datum;
    struct buf second = {0};
    if (convert_value(&again, column, arena, &datum, NULL) != OUTCOME_OK) {
        abort();
    }
    datum_append_text(&second, &datum, column);
    if (!slice_equal(text, buf_slice(&second))) {
        abort();
    }
    buf_fini(&second);
}

static bool reads_its_own_text(const struct column_shape *column)
{
    return !column->array && column->family != TYPE_BYTEA && column->family != TYPE_JSON &&
           column->family != TYPE_JSONB;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct arena *arena = arena_new(4096);
    struct slice text = slice_make((const char *) data + 2, size - 2);
    struct column_shape column = {.name = "c", .typmod = -1};
    struct column_shape parsed = {.name = "t", .typmod = -1};
    struct value value;
    struct error error;
    struct datum datum;

    if (!type_parse(slice_of(types[data[0] % TYPES]), &column)) {
        abort();
    }
    if (make_value(data[1], text, arena, &value) &&
        convert_value(&value, &column, arena, &datum, &error) == OUTCOME_OK) {
        const struct column_shape *columns[] = {&column};
        struct buf out = {0};
        datum_append_json(&out, &datum, &column);
        copy_append_row(&out, COPY_TEXT, &datum, columns, 1);
        if (column_has_binary(&column)) {
            copy_append_row(&out, COPY_BINARY, &datum, columns, 1);
        }
        buf_reset(&out);
        datum_append_text(&out, &datum, &column);
        if (!datum.null && reads_its_own_text(&column)) {
            check_stable(buf_slice(&out), &column, arena);
        }
        buf_fini(&out);
    }

    /* The same bytes as a type name and as a property list. */
    if (type_parse(text, &parsed)) {
        char *name = parsed.type_name;
        parsed.type_name = NULL;
        if (!type_parse(slice_of(name), &parsed) || !slice_is(slice_of(name), parsed.type_name)) {
            abort();
        }
        free(name);
    }
    struct property_item item;
    while (property_next(&text, &item)) {
    }
    free(parsed.type_name);
    free(column.type_name);
    arena_free(arena);
    return 0;
}
