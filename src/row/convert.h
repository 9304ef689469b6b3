/*
 * convert: converts a value to the type of its column, exactly or not at all. Pure.
 *
 * The rules (config/README.md, "Values and columns"): every digit kept; a fraction into an integer
 * column, a value out of range, text that is no number, a bare number into a timestamp, invalid
 * UTF-8 or NUL into text are rejected with a reason that says what came and what the column takes.
 * A value that PostgreSQL would refuse in COPY is rejected here, before the batch is sent.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROW_CONVERT_H
#define MQTT2PG_ROW_CONVERT_H

#include "base/arena.h"
#include "base/outcome.h"
#include "core/table_shape.h"
#include "row/datum.h"

/* OUTCOME_REJECT: "column \"temperature\" (integer): 21.5 has a fraction". The reason quotes at
 * most 40 characters of the value, printable. The datum borrows the value's bytes where it can,
 * else lives in `arena`. A null into a NOT NULL column is rejected here too. */
enum outcome convert_value(const struct value *value, const struct column_shape *column,
                           struct arena *arena, struct datum *datum,
                           struct error *error) MUST_CHECK;

/* RFC 3339 and PostgreSQL's ISO form ("2026-11-23 03:29:30.123456+01", "2026-11-23", BC, infinity):
 * microseconds since 2000-01-01 UTC, INT64_MIN and INT64_MAX for the infinities. Without a zone it
 * is UTC. Rounded to microseconds as PostgreSQL rounds. False when it is no timestamp, or out of
 * PostgreSQL's range. */
bool convert_parse_timestamp(struct slice text, int64_t *microseconds_since_2000);

#endif
