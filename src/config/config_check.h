/*
 * config_check: settings outside of the rules that are wrong by themselves or do not go together.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_CHECK_H
#define MQTT2PG_CONFIG_CONFIG_CHECK_H

#include "config/config.h"
#include "config/config_reader.h"

/* Checks, and replaces {client_id} in the status topic. */
void config_check(struct config_reader *reader, struct config *config);

#endif
