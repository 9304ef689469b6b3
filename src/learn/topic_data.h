/*
 * topic_data: what was seen of the messages of one topic, or of several that are taken together.
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_TOPIC_DATA_H
#define MQTT2PG_LEARN_TOPIC_DATA_H

#include "learn/recognise.h"
#include "learn/shape.h"

/* How a topic's payloads are best read. */
enum topic_format {
    FORMAT_OBJECTS, /* objects or arrays, of JSON or another format; perhaps others between */
    FORMAT_SPARKPLUG,
    FORMAT_PROTOBUF, /* which needs a descriptor */
    FORMAT_SCALARS,  /* JSON: true, false, null or texts in quotes */
    FORMAT_TEXT,     /* bare numbers and texts */
    FORMAT_RAW,      /* bytes */
    FORMAT_EMPTY,    /* nothing but empty payloads */
};

struct topic_data {
    uint64_t topics;
    uint64_t messages;
    uint64_t retained;
    uint64_t bytes;           /* of all payloads */
    uint64_t empty;           /* payloads without a byte */
    uint64_t trees;           /* objects and arrays of this form */
    uint64_t known;           /* Sparkplug B, Protocol Buffers: not looked into */
    uint64_t scalars;         /* other JSON */
    uint64_t texts;           /* UTF-8 that is no JSON */
    uint64_t binary;          /* everything else */
    struct shape *json;       /* owned; of all JSON, and of other objects and arrays */
    struct payload_form form; /* of the first object or array, else of the first payload */
    struct shape *plain;      /* owned; of JSON scalars and texts, read as format "text" does */
};

struct topic_data *topic_data_new(void);
void topic_data_free(struct topic_data *data);

void topic_data_take(struct topic_data *data, const struct message *message,
                     struct shape_budget *budget, struct arena *scratch);

/* Asserts the invariants: every message is counted under one kind of payload, and the shapes have
 * seen no more than was counted. */
void topic_data_check(const struct topic_data *data);

/* Takes `from`. */
void topic_data_merge(struct topic_data *into, struct topic_data *from);

enum topic_format topic_data_format(const struct topic_data *data);

/* Do both hold objects or arrays of one form? */
bool topic_data_both_objects(const struct topic_data *left, const struct topic_data *right);

/* May one table hold both? `strict`: objects must have nearly the same members, else some in
 * common. */
bool topic_data_alike(const struct topic_data *left, const struct topic_data *right, bool strict);

#endif
