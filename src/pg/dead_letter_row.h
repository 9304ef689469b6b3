/*
 * dead_letter_row: makes the texts of a dead letter acceptable to PostgreSQL. Pure; only pg/ uses
 * this header (dead_letter.h is for the others).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_DEAD_LETTER_ROW_H
#define MQTT2PG_PG_DEAD_LETTER_ROW_H

#include "base/buf.h"
#include "base/slice.h"

/* Appends the text as it is; when PostgreSQL would refuse it, with control characters and odd bytes
 * as \xNN. */
void dead_letter_append_text(struct buf *out, struct slice text);

#endif
