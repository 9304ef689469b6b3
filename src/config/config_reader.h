/*
 * config_reader: a struct that the modules which read a configuration share. It lives as long as
 * one reading.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_READER_H
#define MQTT2PG_CONFIG_CONFIG_READER_H

#include "config/config_tree.h"
#include "config/settings.h"

/* All borrowed. */
struct config_reader {
    struct arena *arena;                /* the configuration's memory */
    struct problems *problems;          /* every mistake is added here */
    const struct config_tree *tree;     /* the file */
    const struct config_tree *defaults; /* default values of the table: "d0", "d1", … */
};

/* The value of one setting, from the file or the default of the table. */
struct config_given {
    const struct setting *setting; /* its row of the table */
    const config_setting_t *value; /* a node of one of the two trees */
    struct place place;            /* for messages; of a default the place of its group */
    const char *what; /* its name in messages: "broker.url"; in a rule without "rules." */
};

#endif
