/*
 * topic_data: what was seen of the messages of one topic, or of several that are taken together.
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_TOPIC_DATA_H
#define MQTT2PG_LEARN_TOPIC_DATA_H

#include "learn/shape.h"

/* How a topic's payloads are best read. */
enum topic_format {
    FORMAT_OBJECTS, /* JSON: objects or arrays, perhaps with some other payloads between */
    FORMAT_SCALARS, /* JSON: true, false, null or texts in quotes */
    FORMAT_TEXT,    /* bare numbers and texts */
    FORMAT_RAW,     /* bytes */
    FORMAT_EMPTY,   /* nothing but empty payloads */
};

struct topic_data {
    uint64_t topics;
    uint64_t messages;
    uint64_t retained;
    uint64_t bytes;      /* of all payloads */
    uint64_t empty;      /* payloads without a byte */
    uint64_t trees;      /* JSON objects and arrays */
    uint64_t scalars;    /* other JSON */
    uint64_t texts;      /* UTF-8 that is no JSON */
    uint64_t binary;     /* everything else */
    struct shape *json;  /* owned; of all JSON */
    struct shape *plain; /* owned; of JSON scalars and texts, read as format "text" does */
};

struct topic_data *topic_data_new(void);
void topic_data_free(struct topic_data *data);

void topic_data_take(struct topic_data *data, struct slice payload, bool retained,
                     struct shape_budget *budget, struct arena *scratch);

/* Takes `from`. */
void topic_data_merge(struct topic_data *into, struct topic_data *from);

enum topic_format topic_data_format(const struct topic_data *data);

/* May one table hold both? `strict`: objects must have nearly the same members, else some in
 * common. */
bool topic_data_alike(const struct topic_data *left, const struct topic_data *right, bool strict);

#endif
