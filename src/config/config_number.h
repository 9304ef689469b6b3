/*
 * config_number: how a number is written in a configuration, as libconfig's scanner takes it. Pure.
 *
 *   integer   [sign] digits [L | LL], 0x digits [L | LL]      10  -3  0x1F  5000000000L
 *   real      [sign] digits with a point or an exponent or both      1.5  .5  1e3
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_NUMBER_H
#define MQTT2PG_CONFIG_CONFIG_NUMBER_H

#include "config/config_source.h"

/* The byte at index `at`; NUL behind the end. No text of a configuration contains a NUL byte. */
static inline char config_char_at(struct slice text, size_t at)
{
    return (char) (at < text.length ? text.data[at] : '\0');
}

/* The length in bytes of the number that the text begins with, 0 when it begins with none. *type is
 * TOKEN_INTEGER or TOKEN_REAL. */
size_t config_number_length(struct slice text, enum token_type *type);

#endif
