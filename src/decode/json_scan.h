/*
 * json_scan: JSON text to a document, strictly and in one pass.
 *
 * RFC 8259 to the letter: UTF-8, one value and nothing behind it, no leading zeros, no bare control
 * characters, no lone surrogates. Depth and number of values are within the limits of decode/nodes.
 * No name stands twice in one object: jsonb keeps the last one, other readers the first, so such a
 * message has no one meaning.
 *
 * A byte order mark in front and NUL bytes behind are passed over: C programs send a string with
 * its end. "\u0000" is legal here; a column that can't hold it rejects it. Numbers keep their text,
 * so nothing is rounded. Strings without escapes borrow the payload; the others are decoded into
 * the arena.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_JSON_SCAN_H
#define MQTT2PG_DECODE_JSON_SCAN_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/outcome.h"
#include "core/document.h"
#include "decode/decoder.h"

/* OUTCOME_REJECT with "byte 17: …", counted from 1. Keys and texts of the nodes borrow `text` or
 * lie in `arena`. */
enum outcome json_scan(struct slice text, struct arena *arena, const struct node **root,
                       struct error *error) MUST_CHECK;

/* The format "json": json_scan() of the payload. */
enum outcome decode_json(const struct decode_input *input, struct arena *arena,
                         const struct node **root, struct error *error) MUST_CHECK;

/* Is `text` exactly one JSON number (RFC 8259, section 6)? */
bool json_is_number(struct slice text);

#endif
