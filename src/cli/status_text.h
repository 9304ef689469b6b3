/*
 * status_text: the answer of /status.json as text for people. Pure.
 *
 *   mqtt2pg 0.1.0  ready  up 3d 4h
 *   All is well. Connected, storing what arrives.
 *
 *   broker    connected    for 3d 4h    mqtt://localhost:1883
 *   database  away         for 12s      could not connect …
 *   journal   has room     for 3d 4h    64 MB on disk, at most 10 GB
 *   messages  1,234/s received, 1,230/s processed, 2,460/s rows
 *   backlog   12,345 messages, the oldest for 12s
 *   delay     12 ms median, 40 ms for 95 %
 *
 * A missing member counts as 0, false or empty; text from outside is made printable.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CLI_STATUS_TEXT_H
#define MQTT2PG_CLI_STATUS_TEXT_H

#include <stdbool.h>

#include "base/buf.h"
#include "decode/json_scan.h"

/* Is the service ready, no rule parked, and no gap left to be acknowledged? `status` makes its
 * exit code of this. */
bool status_text_is_fine(const struct node *root);

/* Appends the picture above, then parked rules, keys that no column takes, gaps, the rules with
 * their numbers, and the last dead letters; what is empty is left out. Rates are the difference
 * to `before`, `seconds` ago; with NULL they are 0. Escape sequences only with `colour`. */
void status_text_append(struct buf *out, const struct node *now, const struct node *before,
                        double seconds, bool colour);

/* Appends what stands in place of the picture while nobody answers. */
void status_text_append_failure(struct buf *out, const char *reason, bool colour);

#endif
