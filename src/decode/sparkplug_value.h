/*
 * sparkplug_value: the datatypes of Sparkplug B, and the oneof `value` that metrics, properties,
 * parameters and elements of a DataSet have.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_SPARKPLUG_VALUE_H
#define MQTT2PG_DECODE_SPARKPLUG_VALUE_H

#include "decode/binary.h"
#include "decode/protobuf_wire.h"

/* The numbers of the specification, chapter 6. */
enum sparkplug_datatype {
    SPB_UNKNOWN,
    SPB_INT8,
    SPB_INT16,
    SPB_INT32,
    SPB_INT64,
    SPB_UINT8,
    SPB_UINT16,
    SPB_UINT32,
    SPB_UINT64,
    SPB_FLOAT,
    SPB_DOUBLE,
    SPB_BOOLEAN,
    SPB_STRING,
    SPB_DATETIME, /* milliseconds since 1970 */
    SPB_TEXT,     /* like String; so is UUID */
    SPB_UUID,
    SPB_DATASET,
    SPB_BYTES,
    SPB_FILE,
    SPB_TEMPLATE,
    SPB_PROPERTY_SET,
    SPB_PROPERTY_SETS,
    SPB_INT8_ARRAY, /* 22; up to 29 in the order of the scalars from Int8 on */
    SPB_UINT64_ARRAY = 29,
    SPB_FLOAT_ARRAY,
    SPB_DOUBLE_ARRAY,
    SPB_BOOLEAN_ARRAY,
    SPB_STRING_ARRAY,
    SPB_DATETIME_ARRAY,
    SPB_DATATYPES, /* how many there are */
};

/* The members of the oneof `value`, in the order of metric, property, parameter and element: their
 * field numbers differ by a constant. */
enum sparkplug_value_kind {
    SPB_VALUE_INT,
    SPB_VALUE_LONG,
    SPB_VALUE_FLOAT,
    SPB_VALUE_DOUBLE,
    SPB_VALUE_BOOLEAN,
    SPB_VALUE_STRING,
    SPB_VALUE_BYTES,    /* of metrics; of properties a set */
    SPB_VALUE_DATASET,  /* of metrics; of properties a list of sets */
    SPB_VALUE_TEMPLATE, /* of metrics */
    SPB_VALUE_NONE,
};

struct sparkplug_value {
    enum sparkplug_value_kind kind;
    uint64_t integer;   /* of INT, LONG, BOOLEAN; of FLOAT and DOUBLE the bits */
    struct slice bytes; /* of STRING, BYTES, DATASET, TEMPLATE; lies in the payload */
};

/* At the end of a walk over fields: was it the end? Else the mistake is set. */
static inline bool sparkplug_wire_end(struct binary *binary, const struct wire *wire)
{
    return wire->wrong == NULL || binary_fail(binary, wire->at, wire->wrong);
}

/* "Int32"; NULL for a number that names no datatype. */
const char *sparkplug_datatype_name(uint32_t datatype);

/* The value as a node: exact, cut to the datatype's width; without a datatype as it travels. */
bool sparkplug_value_write(struct binary *binary, uint32_t datatype,
                           const struct sparkplug_value *value, struct slice key);

/* Milliseconds since 1970 as a TIME. */
bool sparkplug_time_write(struct binary *binary, uint64_t milliseconds, struct slice key);

/* Takes the field when it is one of the oneof's, which begins at field number `first`. */
void sparkplug_value_take(struct sparkplug_value *value, const struct wire_field *field,
                          uint32_t first);

#endif
