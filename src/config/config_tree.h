/*
 * config_tree: a configuration as libconfig's tree. Each setting also has its place and its
 * spelling.
 *
 * Numbers are read from the spelling and not from libconfig, which would cut 5000000000 to 32 bits.
 * There are no arrays in the tree, only lists (config_syntax).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_TREE_H
#define MQTT2PG_CONFIG_CONFIG_TREE_H

#include <libconfig.h>

#include "config/config_syntax.h"

/* Owns all of it. Its nodes are valid until config_tree_fini(). */
struct config_tree {
    config_t library; /* libconfig's tree */
    struct config_source source;
    struct config_syntax syntax;
};

/* An empty tree. The file names of its places live in `names`, which outlives the tree. */
void config_tree_init(struct config_tree *tree, struct arena *names);
void config_tree_fini(struct config_tree *tree);

/* Reads a file, or a text in memory, into an empty tree. False: the tokens or their order are
 * wrong, and the reason is in `problems`. */
bool config_tree_load(struct config_tree *tree, const char *file, struct problems *problems);
bool config_tree_parse(struct config_tree *tree, struct slice text, struct problems *problems);

/* File and line of a setting's name, or of an element of a list. Not for the root. */
struct place config_tree_place(const config_setting_t *setting);

/* A number or boolean as it was written: "0x10", "True". Borrowed from the tree. */
struct slice config_tree_spelling(const config_setting_t *setting);

/* The value of a whole number, decimal or hexadecimal. A number beyond 64 bits gives INT64_MAX or
 * INT64_MIN, which no range of a setting holds. */
int64_t config_tree_integer(const config_setting_t *setting);

/* Appends what a value is, for messages: "the text "x"", "the number 30", "a list ( … )". Of a
 * secret only its type. */
void config_tree_describe(struct buf *out, const config_setting_t *setting, bool secret);

#endif
