/*
 * value: the result of an expression, before it is converted to a column's type.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_VALUE_H
#define MQTT2PG_CORE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum value_kind {
    VALUE_NULL, /* null, or not there at all; text: NaN or Infinity in lenient JSON, else empty */
    VALUE_BOOLEAN,
    VALUE_NUMBER, /* text: a JSON number (RFC 8259, section 6), every digit kept */
    VALUE_TEXT,   /* text: well-formed UTF-8; may hold NUL */
    VALUE_BYTES,  /* text: any bytes */
    VALUE_TIME,   /* time_us */
    VALUE_ARRAY,  /* node, and text: its JSON when it came as JSON; value_json() gives it always */
    VALUE_OBJECT, /* likewise */
};

struct node;

/* A value on its way from a message to a column. Copied freely: it owns nothing. */
struct value {
    enum value_kind kind;
    bool boolean;
    bool zoneless;           /* of TIME: read from a text that named no zone, as if it were UTC */
    int64_t time_us;         /* microseconds since 1970-01-01 00:00:00 UTC */
    struct slice text;       /* borrowed */
    const struct node *node; /* borrowed; of ARRAY and OBJECT */
};

/* "null", "boolean", "number", "text", "bytes", "timestamp", "array", "object": for reasons. */
const char *value_kind_name(enum value_kind kind);

static inline struct value value_null(void)
{
    return (struct value){.kind = VALUE_NULL};
}

static inline struct value value_boolean(bool boolean)
{
    return (struct value){.kind = VALUE_BOOLEAN, .boolean = boolean};
}

static inline struct value value_number(struct slice text)
{
    return (struct value){.kind = VALUE_NUMBER, .text = text};
}

static inline struct value value_text(struct slice text)
{
    return (struct value){.kind = VALUE_TEXT, .text = text};
}

static inline struct value value_bytes(struct slice bytes)
{
    return (struct value){.kind = VALUE_BYTES, .text = bytes};
}

static inline struct value value_time(int64_t time_us)
{
    return (struct value){.kind = VALUE_TIME, .time_us = time_us};
}

#endif
