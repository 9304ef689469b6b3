/*
 * decode_influx: the format "influx": InfluxDB's line protocol, one point a line.
 *
 *   measurement[,tag=value…] field=value[,field=value…] [timestamp]
 *
 * "$" is an array of {measurement, tags, fields, time}, in the order of the lines. Tags are texts;
 * fields are numbers (1.5, 1i, 1u: every digit stays), texts or booleans; time is a time, or null
 * where the line has none.
 *
 * Escaped by a backslash: "," and " " in measurements; ",", "=" and " " in keys and values of tags
 * and in keys of fields; quote and backslash in texts. Any other backslash is one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_DECODE_INFLUX_H
#define MQTT2PG_DECODE_DECODE_INFLUX_H

#include "decode/decoder.h"

/* Reasons name byte and line. */
enum outcome decode_influx(const struct decode_input *input, struct arena *arena,
                           const struct node **root, struct error *error) MUST_CHECK;

#endif
