/*
 * config_reader: what the parts of reading share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_READER_H
#define MQTT2PG_CONFIG_CONFIG_READER_H

#include "config/config_tree.h"
#include "config/settings.h"

struct config_reader {
    struct arena *arena; /* the configuration's memory */
    struct problems *problems;
    const struct config_tree *tree;
    const struct config_tree *defaults; /* a tree of the table's default values: "d0", "d1", … */
};

/* The value of one setting, as it was given or as the table has it. */
struct config_given {
    const struct setting *setting;
    const config_setting_t *value;
    struct place place;
    const char *what; /* its name in messages: "broker.url"; in a rule without "rules." */
};

#endif
