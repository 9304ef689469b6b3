/*
 * latin: letters of other alphabets in ASCII, for names: "Büro" → "buero". Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_LATIN_H
#define MQTT2PG_LEARN_LATIN_H

#include "base/buf.h"
#include "base/slice.h"

/* Appends the text with Latin letters that have marks, Greek and Cyrillic ones written in ASCII;
 * all else as it is. */
void latin_append(struct buf *out, struct slice text);

#endif
