/*
 * config_stray: says what was probably meant by a character that begins no token of a
 * configuration. Pure.
 *
 *   url = 'mqtt://a';   →   ' is not expected here: a text stands in double quotes, "…"
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_STRAY_H
#define MQTT2PG_CONFIG_CONFIG_STRAY_H

#include "base/buf.h"
#include "config/config_source.h"

/* Appends which character `text` begins with, and what to write instead. `text` is valid UTF-8 and
 * not empty. The tokens of `source` stand before it. `quote_line` is the line of an earlier text
 * whose closing quote is probably missing; 0 = none. */
void config_stray_append(struct buf *out, struct slice text, const struct config_source *source,
                         int quote_line);

#endif
