/*
 * shape_type: the column type that holds what a shape has seen without loss. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_SHAPE_TYPE_H
#define MQTT2PG_LEARN_SHAPE_TYPE_H

#include "base/arena.h"
#include "learn/shape.h"

struct shape_type {
    const char *type;   /* of PostgreSQL: "double precision"; NULL: all values were null */
    const char *filter; /* makes the value a time: "unix_ms"; NULL = none is needed */
    const char *note;   /* for the comment behind the column; NULL = nothing to say */
};

/*
 * Numbers are double precision, for fractions come later (an idle plug says 0, then 12.5); bigint
 * when their name is that of an identifier or a counter; numeric where double precision would lose
 * a digit. Numbers that are times between 2001 and 2099 in one unit and have the name of a clock
 * are timestamptz; texts that look like one are timestamptz, date, uuid. Arrays of one simple kind
 * are arrays, everything nested or mixed is jsonb, numbers and texts together are text. What 95 %
 * of twenty and more values are decides; the note says how many would become dead letters. Types
 * live in `arena`.
 */
struct shape_type shape_type_of(const struct shape *shape, struct arena *arena);

#endif
