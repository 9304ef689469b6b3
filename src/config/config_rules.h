/*
 * config_rules: the list of rules, and what can be said of a rule without compiling it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_RULES_H
#define MQTT2PG_CONFIG_CONFIG_RULES_H

#include "config/config.h"
#include "config/config_reader.h"

/* Reads "rules" into config->rules. */
void config_rules_read(struct config_reader *reader, struct config *config);

#endif
