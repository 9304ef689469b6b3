/*
 * config_value: one setting's value, from libconfig's tree into the member of the struct that it
 * fills.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_VALUE_H
#define MQTT2PG_CONFIG_CONFIG_VALUE_H

#include "config/config_reader.h"

/* Fills the setting's member of `base` (config_fields.h). A value that is wrong becomes a problem
 * and leaves the member as it was. */
void config_value_read(struct config_reader *reader, const struct config_given *given, void *base);

#endif
