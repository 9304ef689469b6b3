/*
 * topic_fold: one table where a device sends each value on a topic of its own. Pure.
 *
 *   solar/114180/0/power      21.5
 *   solar/114180/status/up    1        ───▶    solar/{path...}
 *   solar/device/built        2020-07-10
 *
 * Else every kind of value would have a rule and a table, hundreds of them for one inverter, and a
 * value that comes later would be stored nowhere.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_TOPIC_FOLD_H
#define MQTT2PG_LEARN_TOPIC_FOLD_H

#include "learn/topic_tree.h"

/* Of a collapsed tree: what stands below a word and would be several patterns of single values
 * becomes one, below the last level that all of it has in common. */
void topic_tree_fold(struct topic_node *node);

#endif
