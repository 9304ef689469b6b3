/*
 * config_tree: a configuration as libconfig's tree, each of whose settings knows its place and how
 * it was written.
 *
 * libconfig's numbers are not used: what stands behind a setting is read from its spelling, so that
 * 5000000000 is 5000000000. There are no arrays in the tree, only lists (config_syntax).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_TREE_H
#define MQTT2PG_CONFIG_CONFIG_TREE_H

#include <libconfig.h>

#include "config/config_syntax.h"

struct config_tree {
    config_t library;
    struct config_source source;
    struct config_syntax syntax;
};

/* An empty tree; file names of places live in `names`. */
void config_tree_init(struct config_tree *tree, struct arena *names);
void config_tree_fini(struct config_tree *tree);

/* Reads a file, or a text in memory; false with every reason in `problems`. */
bool config_tree_load(struct config_tree *tree, const char *file, struct problems *problems);
bool config_tree_parse(struct config_tree *tree, struct slice text, struct problems *problems);

struct place config_tree_place(const config_setting_t *setting);

/* How a number or boolean was written. */
struct slice config_tree_spelling(const config_setting_t *setting);

/* A whole number as it was written, decimal or hexadecimal; beyond 64 bits the nearest that
 * fits. */
int64_t config_tree_integer(const config_setting_t *setting);

/* "the text "x"", "the number 30", "a list": for messages. Of a secret only what it is. */
void config_tree_describe(struct buf *out, const config_setting_t *setting, bool secret);

#endif
