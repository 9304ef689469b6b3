/*
 * time_range: the times that a rule accepts. A device without a clock sends 1970, one with a wrong
 * unit the year 56000; a rule with time_range rejects such a message. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROW_TIME_RANGE_H
#define MQTT2PG_ROW_TIME_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/outcome.h"
#include "core/table_shape.h"
#include "row/datum.h"

/* One end of the range. Borrows its text. */
struct time_bound {
    enum {
        BOUND_OPEN,     /* "": every time is accepted */
        BOUND_ABSOLUTE, /* a date or a time: `us` since 1970 */
        BOUND_RELATIVE, /* a duration: `us` before or behind the time of receipt */
    } kind;
    int64_t us;
    const char *text; /* as the rule writes it */
};

struct time_range {
    struct time_bound earliest;
    struct time_bound latest;
};

/* Reads one end: a date or a time as PostgreSQL reads it, without zone taken as UTC; or a
 * duration; or "". False: the text is none of them. Borrows the text. */
bool time_bound_parse(const char *text, struct time_bound *bound);

/*
 * Is each time of the datum within the range? Checks dates, timestamps, arrays of them, and times
 * whose column has no type yet. An infinite time is outside of an end that is not open.
 * OUTCOME_REJECT with a reason that names the column and the value.
 */
enum outcome time_range_check(const struct time_range *range, const struct datum *datum,
                              const struct column_shape *column, int64_t received_at_us,
                              struct error *error) MUST_CHECK;

#endif
