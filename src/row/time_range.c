/*
 * A time is accepted when it lies between two ends, each of which is absolute ("2000-01-01"),
 * relative to the receipt of the message ("1d") or open (""). Clocks that were never set show 1970;
 * seconds that were taken for milliseconds give 1970-01-20.
 *
 * SPDX-License-Identifier: MIT
 */
#include "row/time_range.h"

#include <assert.h>

#include "base/text.h"
#include "core/moment.h"
#include "row/copy_format.h"

bool time_bound_parse(const char *text, struct time_bound *bound)
{
    struct moment moment;
    int64_t duration_ms = 0;
    int64_t since_2000 = 0;

    *bound = (struct time_bound){.kind = BOUND_OPEN, .text = text};
    if (text[0] == '\0') {
        return true;
    }
    if (text_parse_duration(slice_of(text), &duration_ms)) {
        bound->kind = BOUND_RELATIVE;
        return !__builtin_mul_overflow(duration_ms, INT64_C(1000), &bound->us);
    }
    bound->kind = BOUND_ABSOLUTE;
    return moment_parse(slice_of(text), &moment) && moment.infinite == 0 &&
           moment_timestamp(&moment, &since_2000) &&
           !__builtin_add_overflow(since_2000, EPOCH_2000_US, &bound->us);
}

/* Microseconds since 1970, INT64_MIN and INT64_MAX for the infinities and what is as far away.
 * False when the datum is no time. */
static bool time_of(const struct datum *datum, int64_t *time_us)
{
    int64_t scale = 1;
    bool infinite = false;

    assert(!datum->null && !datum->array);
    switch (datum->family) {
    case TYPE_DATE:
        scale = DAY_US;
        infinite = datum->integer == INT32_MIN || datum->integer == INT32_MAX;
        break;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        infinite = datum->integer == INT64_MIN || datum->integer == INT64_MAX;
        break;
    case TYPE_NONE:
        *time_us = datum->value.kind == VALUE_TIME ? datum->value.time_us : 0;
        return datum->value.kind == VALUE_TIME;
    default:
        return false;
    }
    if (infinite || __builtin_mul_overflow(datum->integer, scale, time_us) ||
        __builtin_add_overflow(*time_us, EPOCH_2000_US, time_us)) {
        *time_us = datum->integer < 0 ? INT64_MIN : INT64_MAX;
    }
    return true;
}

/* The instant of an end, `sign` × its duration away from the time of receipt. */
static int64_t instant_of(const struct time_bound *bound, int sign, int64_t received_at_us)
{
    assert(bound->kind != BOUND_OPEN);
    assert(sign == 1 || sign == -1);
    int64_t instant = bound->us;

    if (bound->kind == BOUND_RELATIVE &&
        __builtin_add_overflow(received_at_us, sign * bound->us, &instant)) {
        instant = sign < 0 ? INT64_MIN : INT64_MAX;
    }
    return instant;
}

/* VALUE is EARLY-OR-LATE, outside of time_range. */
static enum outcome reject_time(const struct datum *datum, const struct column_shape *column,
                                const struct time_bound *bound, bool early, struct error *error)
{
    const char *side = early ? "before" : "after";
    struct buf reason = {0};

    datum_append_json(&reason, datum, column);
    if (bound->kind == BOUND_RELATIVE) {
        buf_printf(&reason, " is more than %s %s the time of receipt", bound->text, side);
    } else {
        buf_printf(&reason, " is %s %s", side, bound->text);
    }
    error_set(error, OUTCOME_REJECT, "%s, outside of time_range", buf_string(&reason));
    buf_fini(&reason);
    return OUTCOME_REJECT;
}

/* Checks one value; null and values that are no times pass. */
static enum outcome check_scalar(const struct time_range *range, const struct datum *datum,
                                 const struct column_shape *column, int64_t received_at_us,
                                 struct error *error)
{
    int64_t time_us;

    if (datum->null || !time_of(datum, &time_us)) {
        return OUTCOME_OK;
    }
    if (range->earliest.kind != BOUND_OPEN &&
        time_us < instant_of(&range->earliest, -1, received_at_us)) {
        return reject_time(datum, column, &range->earliest, true, error);
    }
    if (range->latest.kind != BOUND_OPEN &&
        time_us > instant_of(&range->latest, 1, received_at_us)) {
        return reject_time(datum, column, &range->latest, false, error);
    }
    return OUTCOME_OK;
}

enum outcome time_range_check(const struct time_range *range, const struct datum *datum,
                              const struct column_shape *column, int64_t received_at_us,
                              struct error *error)
{
    bool array = !datum->null && datum->array;
    const struct datum *each = array ? datum->elements->elements : datum;
    size_t count = array ? datum->elements->count : 1;
    enum outcome outcome = OUTCOME_OK;

    for (size_t i = 0; i < count && outcome == OUTCOME_OK; i++) {
        outcome = check_scalar(range, &each[i], column, received_at_us, error);
    }
    if (outcome != OUTCOME_OK && column->family == TYPE_NONE) {
        error_prefix(error, "column \"%s\"", column->name);
    } else if (outcome != OUTCOME_OK) {
        error_prefix(error, "column \"%s\" (%s)", column->name, column->type_name);
    }
    return outcome;
}
