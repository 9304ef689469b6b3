/*
 * config_check: reports settings outside of the rules that cannot work or do not go together.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_CHECK_H
#define MQTT2PG_CONFIG_CONFIG_CHECK_H

#include "config/config.h"
#include "config/config_reader.h"

/* Adds every mistake to the reader's problems. Also replaces {client_id} in the status topic, since
 * the client id is known only when all settings are read. */
void config_check(struct config_reader *reader, struct config *config);

#endif
