/*
 * config_rule_check: reports settings of one rule that do not go together. Topics, expressions and
 * the columns in key and newest are checked by load/, where the rule is compiled.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_RULE_CHECK_H
#define MQTT2PG_CONFIG_CONFIG_RULE_CHECK_H

#include "config/config_reader.h"
#include "core/rule_options.h"

/* Adds every mistake to the reader's problems. `node` is the rule in the file; `label` names the
 * rule in messages about what is missing in it. */
void config_rule_check(const struct config_reader *reader, const struct rule_options *rule,
                       const config_setting_t *node, const char *label);

#endif
