/*
 * topic_fold: one table where a device sends each value on a topic of its own. Pure.
 *
 *   solar/114180/0/power      21.5
 *   solar/114180/status/up    1        ───▶    solar/{path...}
 *   solar/device/built        2020-07-10
 *
 * Without this step every kind of value would get a rule and a table: hundreds for one inverter.
 * A value that appears for the first time later would be stored nowhere.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_TOPIC_FOLD_H
#define MQTT2PG_LEARN_TOPIC_FOLD_H

#include "learn/topic_tree.h"

/* Folds the patterns below `node`, the root of a collapsed tree. Patterns below one level are
 * folded when all bring single values of one kind and there are four or more; five when all stand
 * directly below that level. The deepest level that all of them share stays in the topic. */
void topic_tree_fold(struct topic_node *node);

#endif
