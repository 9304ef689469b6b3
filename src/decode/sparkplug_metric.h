/*
 * sparkplug_metric: one metric of a Sparkplug B payload, and its value by datatype.
 *
 *   1 name  2 alias  3 timestamp  4 datatype  5 is_historical  6 is_transient  7 is_null
 *   8 metadata (passed over)  9 properties  10 to 18 the value, a oneof: sparkplug_value
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_SPARKPLUG_METRIC_H
#define MQTT2PG_DECODE_SPARKPLUG_METRIC_H

#include "decode/sparkplug_value.h"

/* A Metric as it came; what the BIRTH says of it is added by decode_sparkplug. */
struct sparkplug_metric {
    const char *start; /* in the payload */
    struct slice name; /* empty: none came */
    bool has_name;
    bool has_alias;
    bool has_timestamp;
    bool has_datatype;
    bool historical;
    bool transient;
    bool null;
    bool has_properties;
    uint64_t alias;
    uint64_t timestamp;
    uint32_t datatype;
    struct slice properties;
    struct sparkplug_value value;
};

/* Takes the fields of a Metric apart. */
bool sparkplug_metric_read(struct binary *binary, struct slice bytes,
                           struct sparkplug_metric *metric);

/* A PropertySet as an object. */
bool sparkplug_properties_write(struct binary *binary, struct slice bytes, struct slice key);

/* The members of a metric's object, name and datatype included; `timestamp` is the payload's where
 * it has none of its own. */
bool sparkplug_metric_write(struct binary *binary, const struct sparkplug_metric *metric,
                            const uint64_t *timestamp);

#endif
