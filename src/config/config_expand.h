/*
 * config_expand: ${NAME} and ${NAME:-default}, from the environment.
 *
 * NAME is [A-Za-z_][A-Za-z0-9_]*; the default, which may not hold "}", is taken when the variable
 * is unset or empty, as in a shell. "$${" stands for "${". Every other "$" is left alone: "$",
 * "$.a" and "$$.a" are JSONPath. What comes out of the environment is not looked at again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_EXPAND_H
#define MQTT2PG_CONFIG_CONFIG_EXPAND_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/outcome.h"

/* Appends the text with its variables replaced. False with a reason that names the variable and
 * never a value. */
bool config_expand(struct buf *out, struct slice text, struct error *error) MUST_CHECK;

/* Would config_expand() replace anything? */
bool config_expand_needed(struct slice text);

#endif
