/*
 * config_rules: reads the list of rules, and checks what needs no compiling.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_RULES_H
#define MQTT2PG_CONFIG_CONFIG_RULES_H

#include "config/config.h"
#include "config/config_reader.h"

/* Reads "rules" into config->rules and config->rule_count. An element that is no group is reported
 * and left out. */
void config_rules_read(struct config_reader *reader, struct config *config);

#endif
