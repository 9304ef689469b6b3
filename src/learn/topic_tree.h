/*
 * topic_tree: the topics that were seen, level by level, and the patterns that they make. Pure.
 *
 *   devices/d1/telemetry  {"t":1}                 devices/{device}/telemetry
 *   devices/d2/telemetry  {"t":2}         ───▶    devices/{device}/status
 *   devices/d1/status     {"on":true}
 *
 * Levels below one parent are taken together when what stands below them is alike: the same levels
 * with alike payloads. Levels with a digit are taken for names of things (d1, 0x00158d…) and need
 * less likeness than words. A pattern never covers a topic whose payloads are of another kind, so
 * no message meets a rule that was not made for it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_TOPIC_TREE_H
#define MQTT2PG_LEARN_TOPIC_TREE_H

#include "learn/topic_data.h"

struct topic_node {
    char *level;                 /* owned; of several, the first that was seen */
    bool varies;                 /* stands for several levels */
    bool rest;                   /* stands for this level and all below it */
    struct topic_data *data;     /* owned; NULL: no topic ends here */
    struct topic_node *next;     /* owned; the next one below the same parent */
    struct topic_node *children; /* owned */
    size_t child_count;
};

/* An empty root, which is no level itself. */
struct topic_node *topic_tree_new(void);
void topic_tree_free(struct topic_node *root);

/* Asserts the invariants of the nodes below `root`: each has a level, child_count is the length of
 * `children`, and a node that stands for all below it has no children. Before the collapse no two
 * children have the same level. */
void topic_tree_check(const struct topic_node *root);

/* The node of this topic; with `make` it is made when it is not there, else NULL. */
struct topic_node *topic_tree_find(struct topic_node *root, struct slice topic, bool make);

/* Takes together what is alike. Once, at the end. `filter` is what was listened to, in the language
 * of rules: a level "{x}" of it varies, whatever was seen there, so that things to come are taken
 * too. */
void topic_tree_collapse(struct topic_node *root, const char *filter);

#endif
