/*
 * topic_words: what a single level of a topic tells by its word alone. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_TOPIC_WORDS_H
#define MQTT2PG_LEARN_TOPIC_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* The i-th level of a filter in the language of rules, from 0; "" when it has none. */
struct slice topic_filter_level(const char *filter, size_t index);

/* Does the level look like the name of one thing among many? */
bool topic_level_is_name(const char *level);

/* What stands below some well-known words: "device" below "zigbee2mqtt"; NULL when nothing is
 * known. */
const char *topic_level_known(const char *above);
#endif
