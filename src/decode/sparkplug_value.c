/*
 * Signed datatypes travel in unsigned fields as two's complement. Publishers differ in how wide
 * they make it: Int8 -1 comes as 0xff, as 0xffffffff or with 64 bits. Cut to the datatype's width
 * all of them say the same.
 *
 * Arrays are bytes: numbers little-endian one behind the other, booleans as bits behind their
 * count, texts each with a NUL behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/sparkplug_value.h"

#include "base/bytes.h"
#include "base/text.h"

static const char *const datatype_names[SPB_DATATYPES] = {
    "Unknown",       "Int8",
    "Int16",         "Int32",
    "Int64",         "UInt8",
    "UInt16",        "UInt32",
    "UInt64",        "Float",
    "Double",        "Boolean",
    "String",        "DateTime",
    "Text",          "UUID",
    "DataSet",       "Bytes",
    "File",          "Template",
    "PropertySet",   "PropertySetList",
    "Int8Array",     "Int16Array",
    "Int32Array",    "Int64Array",
    "UInt8Array",    "UInt16Array",
    "UInt32Array",   "UInt64Array",
    "FloatArray",    "DoubleArray",
    "BooleanArray",  "StringArray",
    "DateTimeArray",
};

const char *sparkplug_datatype_name(uint32_t datatype)
{
    return datatype < SPB_DATATYPES ? datatype_names[datatype] : NULL;
}

void sparkplug_value_take(struct sparkplug_value *value, const struct wire_field *field,
                          uint32_t first)
{
    static const enum wire_type types[] = {
        [SPB_VALUE_INT] = WIRE_VARINT,     [SPB_VALUE_LONG] = WIRE_VARINT,
        [SPB_VALUE_FLOAT] = WIRE_FIXED32,  [SPB_VALUE_DOUBLE] = WIRE_FIXED64,
        [SPB_VALUE_BOOLEAN] = WIRE_VARINT, [SPB_VALUE_STRING] = WIRE_BYTES,
        [SPB_VALUE_BYTES] = WIRE_BYTES,    [SPB_VALUE_DATASET] = WIRE_BYTES,
        [SPB_VALUE_TEMPLATE] = WIRE_BYTES,
    };
    uint32_t kind = field->number - first; /* wraps around for a smaller number */
    if (field->number >= first && kind < SPB_VALUE_NONE && field->type == types[kind]) {
        *value = (struct sparkplug_value){.kind = (enum sparkplug_value_kind) kind,
                                          .integer = field->integer,
                                          .bytes = field->bytes};
    }
}

/* --- scalars ---------------------------------------------------------------------------------- */

bool sparkplug_time_write(struct binary *binary, uint64_t milliseconds, struct slice key)
{
    int64_t time_us;
    if (__builtin_mul_overflow((int64_t) milliseconds, INT64_C(1000), &time_us)) {
        return binary_fail(binary, binary->at, "a timestamp is out of range");
    }
    return binary_add_time(binary, key, time_us);
}

/* Two's complement of the datatype's width, however wide it travels. */
static bool write_integer(struct binary *binary, uint32_t datatype, uint64_t integer,
                          struct slice key)
{
    switch (datatype) {
    case SPB_INT8:
        return binary_add_signed(binary, key, (int8_t) integer);
    case SPB_INT16:
        return binary_add_signed(binary, key, (int16_t) integer);
    case SPB_INT32:
        return binary_add_signed(binary, key, (int32_t) integer);
    case SPB_INT64:
        return binary_add_signed(binary, key, (int64_t) integer);
    case SPB_UINT8:
        return binary_add_unsigned(binary, key, (uint8_t) integer);
    case SPB_UINT16:
        return binary_add_unsigned(binary, key, (uint16_t) integer);
    case SPB_UINT32:
        return binary_add_unsigned(binary, key, (uint32_t) integer);
    case SPB_BOOLEAN:
        return binary_add_boolean(binary, key, integer != 0);
    case SPB_DATETIME:
        return sparkplug_time_write(binary, integer, key);
    default:
        return binary_add_unsigned(binary, key, integer);
    }
}

/* --- arrays ----------------------------------------------------------------------------------- */

static const unsigned element_bytes[] = {1, 2, 4, 8, 1, 2, 4,
                                         8, 4, 8, 0, 0, 8}; /* from INT8_ARRAY */

static bool write_number(struct binary *binary, uint32_t datatype, uint64_t bits)
{
    const struct slice key = {0};
    switch (datatype) {
    case SPB_FLOAT_ARRAY:
    case SPB_DOUBLE_ARRAY:
        return binary_add_real_bits(binary, key, bits, datatype == SPB_FLOAT_ARRAY);
    case SPB_DATETIME_ARRAY:
        return sparkplug_time_write(binary, bits, key);
    default:
        return write_integer(binary, datatype - SPB_INT8_ARRAY + SPB_INT8, bits, key);
    }
}

static bool write_numbers(struct binary *binary, uint32_t datatype, struct slice bytes,
                          struct binary_container *array)
{
    unsigned size = element_bytes[datatype - SPB_INT8_ARRAY];
    assert(size > 0); /* texts and booleans are written elsewhere */
    if (bytes.length % size != 0) {
        return binary_fail(binary, array->start, "an array ends within an element");
    }
    for (size_t i = 0; i < bytes.length; i += size) {
        uint8_t little[8] = {0};
        memcpy(little, bytes.data + i, size);
        if (!write_number(binary, datatype, bytes_get_le64(little))) {
            return false;
        }
        array->count++;
    }
    return true;
}

/* u32 count, then bits, the most significant first. */
static bool write_booleans(struct binary *binary, struct slice bytes,
                           struct binary_container *array)
{
    uint32_t count = bytes.length < 4 ? 0 : bytes_get_le32(bytes.data);
    if (bytes.length < 4 || (bytes.length - 4) * 8 < count) {
        return binary_fail(binary, array->start, "an array with fewer bits than it says");
    }
    for (; array->count < count; array->count++) {
        unsigned byte = (unsigned char) bytes.data[4 + array->count / 8];
        if (!binary_add_boolean(binary, (struct slice){0},
                                (byte >> (7 - array->count % 8) & 1) != 0)) {
            return false;
        }
    }
    return true;
}

/* Each ends in NUL. */
static bool write_strings(struct binary *binary, struct slice bytes, struct binary_container *array)
{
    while (bytes.length > 0) {
        const char *nul = memchr(bytes.data, '\0', bytes.length);
        if (nul == NULL) {
            return binary_fail(binary, bytes.data, "a text of an array has no end");
        }
        size_t length = (size_t) (nul - bytes.data);
        if (!binary_add_text(binary, (struct slice){0}, slice_make(bytes.data, length))) {
            return false;
        }
        bytes = slice_make(nul + 1, bytes.length - length - 1);
        array->count++;
    }
    return true;
}

/* Datatypes 22 to 34. */
static bool write_array(struct binary *binary, uint32_t datatype, struct slice bytes,
                        struct slice key)
{
    struct binary_container array;
    assert(datatype >= SPB_INT8_ARRAY && datatype < SPB_DATATYPES);
    const char *start = bytes.length > 0 ? bytes.data : binary->at;
    if (!binary_open(binary, VALUE_ARRAY, key, start, &array)) {
        return false;
    }
    bool written = datatype == SPB_BOOLEAN_ARRAY  ? write_booleans(binary, bytes, &array)
                   : datatype == SPB_STRING_ARRAY ? write_strings(binary, bytes, &array)
                                                  : write_numbers(binary, datatype, bytes, &array);
    return written && binary_close(binary, &array);
}

/* --- all -------------------------------------------------------------------------------------- */

/* The oneof says how the value travels and the datatype what it is; a Boolean in an int_value is
 * seen, and so is a DateTime in a property. */
bool sparkplug_value_write(struct binary *binary, uint32_t datatype,
                           const struct sparkplug_value *value, struct slice key)
{
    switch (value->kind) {
    case SPB_VALUE_INT:
    case SPB_VALUE_LONG:
        return write_integer(binary, datatype, value->integer, key);
    case SPB_VALUE_FLOAT:
    case SPB_VALUE_DOUBLE:
        return binary_add_real_bits(binary, key, value->integer, value->kind == SPB_VALUE_FLOAT);
    case SPB_VALUE_BOOLEAN:
        return binary_add_boolean(binary, key, value->integer != 0);
    case SPB_VALUE_STRING:
        return binary_add_text(binary, key, value->bytes);
    case SPB_VALUE_BYTES:
        return datatype >= SPB_INT8_ARRAY && datatype < SPB_DATATYPES
                   ? write_array(binary, datatype, value->bytes, key)
                   : binary_add(binary, VALUE_BYTES, key, value->bytes);
    case SPB_VALUE_DATASET: /* of a metric only, which writes them itself */
    case SPB_VALUE_TEMPLATE:
    case SPB_VALUE_NONE:
        break;
    }
    return binary_add(binary, VALUE_NULL, key, (struct slice){0});
}
