/* SPDX-License-Identifier: MIT */
#include "core/value.h"

#include <assert.h>

static const char *const kind_names[] = {
    [VALUE_NULL] = "null",   [VALUE_BOOLEAN] = "boolean", [VALUE_NUMBER] = "number",
    [VALUE_TEXT] = "text",   [VALUE_BYTES] = "bytes",     [VALUE_TIME] = "timestamp",
    [VALUE_ARRAY] = "array", [VALUE_OBJECT] = "object",
};

const char *value_kind_name(enum value_kind kind)
{
    assert(kind < sizeof(kind_names) / sizeof(kind_names[0]));
    return kind_names[kind];
}
