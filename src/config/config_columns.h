/*
 * config_columns: `columns` and `fields`, a group name = expression or a list of { name, value }.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_COLUMNS_H
#define MQTT2PG_CONFIG_CONFIG_COLUMNS_H

#include "config/config_reader.h"
#include "core/rule_options.h"

/* Fills the list, in the reader's arena. A column whose expression is missing or wrong stands in it
 * as null, so that other settings may name it. */
void config_columns_read(struct config_reader *reader, const struct config_given *given,
                         struct option_column **list, size_t *count);

#endif
