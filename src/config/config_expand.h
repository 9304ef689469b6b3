/*
 * config_expand: ${NAME} and ${NAME:-default}, from the environment.
 *
 * NAME is [A-Za-z_][A-Za-z0-9_]*. The default is used when the variable is unset or empty, as in a
 * shell; it must not contain "}". "$${" stands for "${". Every other "$" is left alone: "$", "$.a"
 * and "$$.a" are paths. The value of a variable is not expanded again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_EXPAND_H
#define MQTT2PG_CONFIG_CONFIG_EXPAND_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/outcome.h"

/* Appends the text with its variables replaced. False with a reason that names the variable. The
 * reason never shows a value, which may be a password. */
bool config_expand(struct buf *out, struct slice text, struct error *error) MUST_CHECK;

/* Does the text have a variable that config_expand() would replace? "$${" is none. */
bool config_expand_needed(struct slice text);

#endif
