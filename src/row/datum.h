/*
 * datum: a value that was converted to its column's type, ready to be written in any form.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROW_DATUM_H
#define MQTT2PG_ROW_DATUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/table_shape.h"
#include "core/value.h"

struct datum_interval {
    int64_t us;
    int32_t days;
    int32_t months;
};

#define DATUM_DIMENSIONS_MAX 6 /* PostgreSQL's MAXDIM */

/* Elements in row-major order; an empty array has no dimension. */
struct datum_array {
    int dimensions;
    int32_t lengths[DATUM_DIMENSIONS_MAX];
    size_t count;
    struct datum *elements;
};

/* What stands in the union follows from family and array:
 *   BOOL                       boolean
 *   INT2 INT4 INT8             integer
 *   FLOAT4 FLOAT8              real
 *   DATE                       integer: days since 2000-01-01
 *                              (INT32_MIN / MAX: -infinity / infinity)
 *   TIME                       integer: microseconds since midnight
 *   TIMESTAMP TIMESTAMPTZ      integer: microseconds since 2000-01-01
 *                              (INT64_MIN / MAX: -infinity / infinity)
 *   INTERVAL                   interval
 *   NUMERIC                    text: decimal digits as PostgreSQL reads them, or NaN, Infinity,
 *                              -Infinity
 *   UUID                       text: its 16 bytes
 *   INET                       text: its binary form as inet_send() writes it
 *   TEXT VARCHAR CHAR JSON JSONB BYTEA OTHER   text
 *   NONE                       value: untouched, for showing
 */
struct datum {
    enum type_family family;
    bool null;
    bool array;
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct datum_interval interval;
        struct slice text;
        struct datum_array *elements;
        struct value value;
    };
};

#endif
