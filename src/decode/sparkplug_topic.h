/*
 * sparkplug_topic: spBv1.0/GROUP/TYPE/EDGE[/DEVICE] and spBv1.0/STATE/HOST, also behind levels that
 * a bridge between brokers has put in front.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_SPARKPLUG_TOPIC_H
#define MQTT2PG_DECODE_SPARKPLUG_TOPIC_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/slice.h"

enum sparkplug_type {
    SPARKPLUG_BIRTH,   /* NBIRTH, DBIRTH: names, aliases and datatypes of all metrics */
    SPARKPLUG_DEATH,   /* NDEATH, the will of the edge node; DDEATH */
    SPARKPLUG_DATA,    /* NDATA, DDATA: metrics that changed */
    SPARKPLUG_COMMAND, /* NCMD, DCMD: to the edge node */
    SPARKPLUG_STATE,   /* of a host application, as JSON */
};

/* The parts of a topic; all borrow it. */
struct sparkplug_topic {
    enum sparkplug_type type;
    struct slice prefix;    /* "site/" before "spBv1.0", or empty */
    struct slice type_name; /* "NBIRTH" */
    struct slice group;
    struct slice edge;
    struct slice device; /* empty: of the edge node itself */
    struct slice host;   /* of STATE */
};

/* False when it is no such topic, or its names take more than 1024 bytes. */
bool sparkplug_topic_parse(struct slice topic, struct sparkplug_topic *parsed);

/* "GROUP/EDGE" or "GROUP/EDGE/DEVICE", behind the prefix: none of the three holds a "/". */
struct slice sparkplug_topic_node(const struct sparkplug_topic *topic, struct arena *arena);
struct slice sparkplug_topic_device(const struct sparkplug_topic *topic, struct arena *arena);

/* Where commands to the edge node go. */
struct slice sparkplug_topic_command(const struct sparkplug_topic *topic, struct arena *arena);

#endif
