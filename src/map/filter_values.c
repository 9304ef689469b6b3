/*
 * filter_values: functions that several filters use to read or reject a value.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "base/text.h"
#include "map/compare.h"
#include "map/filter_family.h"

enum { QUOTED_CHARACTERS_MAX = 40 };

enum outcome filter_refuse(const struct value *value, const char *what, struct error *error)
{
    assert(what[0] != '\0');
    if (value->kind == VALUE_BOOLEAN) {
        return error_set(error, OUTCOME_REJECT, "%s %s", value->boolean ? "true" : "false", what);
    }
    if (value->kind != VALUE_TEXT && value->kind != VALUE_NUMBER) {
        return error_set(error, OUTCOME_REJECT, "%s %s", value_kind_name(value->kind), what);
    }
    struct buf shown = {0};
    const char *quote = value->kind == VALUE_TEXT ? "\"" : "";
    text_append_printable(&shown, value->text, QUOTED_CHARACTERS_MAX);
    error_set(error, OUTCOME_REJECT, "%s%s%s %s", quote, buf_string(&shown), quote, what);
    buf_fini(&shown);
    return OUTCOME_REJECT;
}

bool filter_is_text(const struct value *value)
{
    return value->kind == VALUE_TEXT || value->kind == VALUE_NUMBER;
}

bool filter_holds_text(const struct value *value)
{
    return filter_is_text(value) || value->kind == VALUE_BYTES;
}

struct slice filter_trimmed(struct slice text)
{
    return ascii_trim(text);
}

enum outcome filter_read_number(const struct value *value, struct decimal *number,
                                struct error *error)
{
    struct number parts;
    if (!filter_is_text(value) || !compare_reads_number(value->text, &parts)) {
        return filter_refuse(value, "is not a number", error);
    }
    return decimal_parse(filter_trimmed(value->text), number)
               ? OUTCOME_OK
               : filter_refuse(value, "has more digits than this can keep", error);
}
