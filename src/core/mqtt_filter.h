/*
 * mqtt_filter: relations between MQTT filters and topics (MQTT 5.0, section 4.7), and the parts of
 * a shared filter.
 *
 * The empty topic, which no PUBLISH carries, counts as a topic of one empty level: "+" and "/#"
 * match it. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_MQTT_FILTER_H
#define MQTT2PG_CORE_MQTT_FILTER_H

#include <stdbool.h>

#include "base/slice.h"

/* Of filters without "$share/GROUP/": does the filter match the topic; is there a topic that both
 * match; does `wide` match all that `narrow` matches? */
bool mqtt_filter_matches(struct slice filter, struct slice topic);
bool mqtt_filters_overlap(struct slice left, struct slice right);
bool mqtt_filter_covers(struct slice wide, struct slice narrow);

/* The part of a filter behind "$share/GROUP/", and GROUP; "" when it is not shared. Borrow it. */
struct slice filter_unshared(const char *filter);
struct slice filter_share(const char *filter);

#endif
