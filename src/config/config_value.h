/*
 * config_value: reads the value of one setting from libconfig's tree into a member of a struct.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_VALUE_H
#define MQTT2PG_CONFIG_CONFIG_VALUE_H

#include "config/config_reader.h"

/* Fills the setting's member of `base`, which is a struct config or a struct rule_options (see
 * config_fields.h). A wrong value is reported, and the member is not changed. */
void config_value_read(struct config_reader *reader, const struct config_given *given, void *base);

#endif
