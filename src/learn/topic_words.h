/*
 * topic_words: what the word of one topic level says, without looking at messages. Pure.
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

/* Does the level look like the name of one thing among many, such as "d1" or "0x00158d0001"? It
 * does when it holds a digit. */
bool topic_level_is_name(const char *level);

/* What the levels below a well-known word are: "device" below "zigbee2mqtt" or Tasmota's "tele",
 * "camera" below "frigate". NULL when nothing is known. */
const char *topic_level_known(const char *above);
#endif
