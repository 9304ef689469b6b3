/*
 * One table gives for each family of types the function that converts values. Those functions get
 * neither null nor arrays: this file handles null, and convert_array.c splits arrays and calls back
 * for each element.
 *
 * SPDX-License-Identifier: MIT
 */
#include "row/convert.h"

#include <assert.h>

#include "row/convert_family.h"

/* For a column without a known type: keeps the value as it is, for `explain`. */
static enum outcome convert_none(const struct value *value, const struct column_shape *column,
                                 struct arena *arena, struct datum *datum, struct error *error)
{
    (void) column;
    (void) arena;
    (void) error;
    datum->value = *value;
    return OUTCOME_OK;
}

static convert_function *const families[] = {
    [TYPE_NONE] = convert_none,
    [TYPE_BOOL] = convert_bool,
    [TYPE_INT2] = convert_integer,
    [TYPE_INT4] = convert_integer,
    [TYPE_INT8] = convert_integer,
    [TYPE_FLOAT4] = convert_real,
    [TYPE_FLOAT8] = convert_real,
    [TYPE_NUMERIC] = convert_numeric,
    [TYPE_TEXT] = convert_text,
    [TYPE_VARCHAR] = convert_limited_text,
    [TYPE_CHAR] = convert_limited_text,
    [TYPE_BYTEA] = convert_bytea,
    [TYPE_JSON] = convert_json,
    [TYPE_JSONB] = convert_json,
    [TYPE_UUID] = convert_uuid,
    [TYPE_DATE] = convert_date,
    [TYPE_TIME] = convert_time,
    [TYPE_TIMESTAMP] = convert_timestamp,
    [TYPE_TIMESTAMPTZ] = convert_timestamp,
    [TYPE_INTERVAL] = convert_interval,
    [TYPE_INET] = convert_inet,
    [TYPE_OTHER] = convert_other,
};

/* The table has an entry for each enumerator of the families. */
static_assert(sizeof(families) / sizeof(families[0]) == TYPE_OTHER + 1, "a function a family");

enum outcome convert_element(const struct value *value, const struct column_shape *column,
                             struct arena *arena, struct datum *datum, struct error *error)
{
    datum->family = column->family;
    datum->null = false;
    datum->array = false;
    return families[column->family](value, column, arena, datum, error);
}

enum outcome convert_value(const struct value *value, const struct column_shape *column,
                           struct arena *arena, struct datum *datum, struct error *error)
{
    bool array = column->array && column->family != TYPE_NONE;
    bool is_float = column->family == TYPE_FLOAT4 || column->family == TYPE_FLOAT8;
    struct value special;
    if (value->kind == VALUE_NULL && value->text.length > 0 && is_float && !array) {
        special = value_text(value->text); /* NaN or Infinity in lenient JSON */
        value = &special;
    }
    if (value->kind == VALUE_NULL) {
        *datum = (struct datum){.family = column->family, .null = true, .array = array};
        return !column->not_null
                   ? OUTCOME_OK
                   : error_set(error, OUTCOME_REJECT,
                               "column \"%s\" is not null but the value is missing", column->name);
    }
    enum outcome outcome = array ? convert_array(value, column, arena, datum, error)
                                 : convert_element(value, column, arena, datum, error);
    if (outcome != OUTCOME_OK) {
        error_prefix(error, "column \"%s\" (%s)", column->name, column->type_name);
    }
    return outcome;
}
