/*
 * letter_text: a dead letter as text: as JSON for programs; for people in one line or in full.
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LETTER_TEXT_H
#define MQTT2PG_LOAD_LETTER_TEXT_H

#include "base/buf.h"
#include "pg/dead_letter.h"

/* One JSON object and a line break. A payload that is no text is "payload_hex". */
void letter_append_json(struct buf *out, const struct dead_letter *letter);

/* One JSON object for a list of letters: without payload and properties, without a line break. */
void letter_append_listed(struct buf *out, const struct dead_letter *letter);

/* One line, cut to a width; control characters are made visible. */
void letter_append_line(struct buf *out, const struct dead_letter *letter);

/* The whole letter. The payload is text when it has no control characters, else hex. */
void letter_append_text(struct buf *out, const struct dead_letter *letter);

#endif
