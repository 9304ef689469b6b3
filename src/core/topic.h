/*
 * topic: checks topic names (MQTT 5.0, section 4.7).
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_TOPIC_H
#define MQTT2PG_CORE_TOPIC_H

#include <stdbool.h>

#include "base/slice.h"

/* Of a topic name or a filter, also with "$share/GROUP/" in front. */
#define TOPIC_BYTES_MAX 65535

/* May a PUBLISH carry it: 1 to TOPIC_BYTES_MAX bytes of UTF-8 without NUL, "+" and "#"? */
bool topic_is_publishable(struct slice topic);

#endif
