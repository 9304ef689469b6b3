/*
 * secret: the one line of a file that holds a password or a token.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_SECRET_H
#define MQTT2PG_BASE_SECRET_H

#include "base/buf.h"
#include "base/outcome.h"

/* Appends the file's text without the newline at its end. OUTCOME_REJECT, with nothing left in
 * `out`: there is no such file, it is empty, larger than 65,535 bytes (MQTT's limit for a
 * password), or no UTF-8 without NUL. `error` never holds the text. */
enum outcome secret_load(const char *path, struct buf *out, struct error *error) MUST_CHECK;

/* Overwrites the bytes and frees them. */
void secret_forget(struct buf *secret);

#endif
