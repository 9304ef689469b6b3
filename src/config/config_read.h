/*
 * config_read: reads groups of settings, guided by the table of settings.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_READ_H
#define MQTT2PG_CONFIG_CONFIG_READ_H

#include "config/config_reader.h"

/* One group that is read: the file itself, "broker", one rule, … */
struct config_group {
    const char *path;             /* "broker", "rules.ack"; "" for the whole file */
    const config_setting_t *node; /* NULL: it was not given, all its settings have their defaults */
    struct place place;
    /* Its name in messages about what is missing in it; NULL for the whole file. */
    const char *what;
    /* The struct config or struct rule_options that is filled. */
    void *base;
};

/*
 * Reads every setting of the group, and every group in it, into `base`. Reports names that are not
 * in the table, and required settings that are missing. Passes "rules" over: see config_rules.
 */
void config_read_group(struct config_reader *reader, const struct config_group *group);

/* Does `node` have an unknown name that was probably meant to be the setting `name`? Then only the
 * unknown name is reported, and not that `name` is missing. `group` is the path of `node`. */
bool config_read_misspelt(const struct config_reader *reader, const config_setting_t *node,
                          const char *group, const char *name);

#endif
