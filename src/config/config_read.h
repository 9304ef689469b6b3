/*
 * config_read: groups of settings, walked as the table says.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_READ_H
#define MQTT2PG_CONFIG_CONFIG_READ_H

#include "config/config_reader.h"

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
 * Reads every setting and group of the group into `base`. What stands in the file and not in the
 * table is a problem, as is a setting that must be given and is not. "rules" is left to
 * config_rules.
 */
void config_read_group(struct config_reader *reader, const struct config_group *group);

/* Does an unknown name in `node`, a group "broker", "rules", …, mean the setting `name`? Then that
 * is the mistake, and not that `name` is missing. */
bool config_read_misspelt(const struct config_reader *reader, const config_setting_t *node,
                          const char *group, const char *name);

#endif
