/*
 * generation: a configuration with its compiled rules, from one reading of the file until the next reload.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BRIDGE_GENERATION_H
#define MQTT2PG_BRIDGE_GENERATION_H

#include "config/config.h"
#include "load/ruleset.h"

struct generation {
    struct config *config;
    struct ruleset *ruleset;
};

/* Reads, checks and compiles everything. NULL when there is any mistake: all of them are in `problems`, already as text. */
struct generation *generation_load(const char *config_file, struct problems *problems);
void generation_free(struct generation *generation);

#endif
