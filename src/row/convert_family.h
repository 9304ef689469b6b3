/*
 * convert_family: the functions that convert.c calls, one for each family of types. Internal to
 * row/.
 *
 * Each takes a value that is not null and a column that is no array (or the column of the array
 * whose element the value is), and fills the union of *datum; convert.c fills the rest. On
 * OUTCOME_REJECT the reason does not name the column: convert.c adds it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROW_CONVERT_FAMILY_H
#define MQTT2PG_ROW_CONVERT_FAMILY_H

#include "base/arena.h"
#include "base/outcome.h"
#include "core/table_shape.h"
#include "row/datum.h"

typedef enum outcome convert_function(const struct value *value, const struct column_shape *column,
                                      struct arena *arena, struct datum *datum,
                                      struct error *error);

/* convert_number.c */
convert_function convert_bool;
convert_function convert_integer;
convert_function convert_real;
convert_function convert_numeric;

/* convert_text.c */
convert_function convert_text;
convert_function convert_limited_text;
convert_function convert_bytea;
convert_function convert_other;

/* convert_json.c */
convert_function convert_json;

/* convert_address.c */
convert_function convert_uuid;
convert_function convert_inet;

/* convert_time.c */
convert_function convert_date;
convert_function convert_time;
convert_function convert_timestamp;

/* convert_interval.c */
convert_function convert_interval;

/* convert_array.c; here `column` is the array's. */
convert_function convert_array;

/* convert.c: any value that is not null into the column's family, elements of arrays too. */
convert_function convert_element;

/* A time as text: RFC 3339 in UTC with microseconds, also before the year 0 and behind 9999. */
struct slice format_rfc3339(int64_t time_us, struct arena *arena);

/* Rounds to the 0 to 6 decimals of a second that a typmod of time, timestamp or interval asks for,
 * half away from zero; -1 changes nothing. */
int64_t round_to_precision(int64_t microseconds, int32_t decimals);

#endif
