/*
 * config_rule_check: settings of one rule that do not go together. What its compiler sees (topic,
 * expressions, names of columns in key and newest) is left to load/.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_RULE_CHECK_H
#define MQTT2PG_CONFIG_CONFIG_RULE_CHECK_H

#include "config/config_reader.h"
#include "core/rule_options.h"

/* `node` is the rule's group, `label` names it in messages about what is missing. */
void config_rule_check(const struct config_reader *reader, const struct rule_options *rule,
                       const config_setting_t *node, const char *label);

#endif
