/*
 * decode_text: the format "text": the payload is one text, or one number.
 *
 * Many devices send a bare "21.5": when the payload without surrounding white space is exactly a
 * JSON number, "$" is that NUMBER; else it is TEXT with every byte of the payload, white space
 * included. An empty payload is an empty text.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_DECODE_TEXT_H
#define MQTT2PG_DECODE_DECODE_TEXT_H

#include "base/arena.h"
#include "base/outcome.h"
#include "decode/decoder.h"

/* OUTCOME_REJECT with the place when the payload is not UTF-8. NUL is legal here; a column that
 * can't hold it rejects it. */
enum outcome decode_text(const struct decode_input *input, struct arena *arena,
                         const struct node **root, struct error *error) MUST_CHECK;

#endif
