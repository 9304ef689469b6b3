/*
 * config_number: how a number is written in a configuration, as libconfig's scanner takes it. Pure.
 *
 *   integer   [sign] digits [L | LL], 0x digits [L | LL]
 *   real      [sign] digits with a point or an exponent or both
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_NUMBER_H
#define MQTT2PG_CONFIG_CONFIG_NUMBER_H

#include "config/config_source.h"

/* NUL behind the end, which no text of a configuration holds. */
static inline char config_char_at(struct slice text, size_t at)
{
    return (char) (at < text.length ? text.data[at] : '\0');
}

/* How long the number at the start of the text is, and whether it is INTEGER or REAL; 0 when none
 * stands there. */
size_t config_number_length(struct slice text, enum token_type *type);

#endif
