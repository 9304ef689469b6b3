/*
 * config_check: checks the settings outside of the rules, each by itself and in combination.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_CHECK_H
#define MQTT2PG_CONFIG_CONFIG_CHECK_H

#include "config/config.h"
#include "config/config_reader.h"

/* Reports every mistake to reader->problems. Replaces {client_id} in the status topic. */
void config_check(struct config_reader *reader, struct config *config);

#endif
