/*
 * config_columns: reads the settings `columns`, `compute` and `ack.fields`: names with expressions,
 * as a group or as a list.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_COLUMNS_H
#define MQTT2PG_CONFIG_CONFIG_COLUMNS_H

#include "config/config_reader.h"
#include "core/rule_options.h"

/* Fills the list, which lies in the reader's arena; *count must be 0. A column whose expression is
 * missing or wrong is in the list with a harmless expression: `key` and `newest` may name it, and
 * must not be reported for this mistake. */
void config_columns_read(struct config_reader *reader, const struct config_given *given,
                         struct option_column **list, size_t *count);

#endif
