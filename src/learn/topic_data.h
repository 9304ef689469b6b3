/*
 * topic_data: what is known about the messages of one topic, or of several topics that became one
 * pattern. Pure.
 *
 * Payloads are counted by kind, because the kind of most payloads becomes the rule's format. Two
 * shapes summarize the values: one as format "json" reads them, one as format "text" does.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_TOPIC_DATA_H
#define MQTT2PG_LEARN_TOPIC_DATA_H

#include "learn/recognise.h"
#include "learn/shape.h"

/* How a topic's payloads are best read. */
enum topic_format {
    FORMAT_OBJECTS, /* objects or arrays, in JSON or another format; a few may be neither */
    FORMAT_SPARKPLUG,
    FORMAT_PROTOBUF, /* which needs a descriptor */
    FORMAT_SCALARS,  /* JSON: true, false, null or texts in quotes */
    FORMAT_TEXT,     /* bare numbers and texts */
    FORMAT_RAW,      /* bytes */
    FORMAT_EMPTY,    /* nothing but empty payloads */
};

struct topic_data {
    uint64_t topics;          /* that are summarized here */
    uint64_t messages;        /* on these topics */
    uint64_t retained;        /* messages that the broker had kept */
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

/* Of one topic, without a message so far. Free it with topic_data_free(), or let it be merged. */
struct topic_data *topic_data_new(void);
void topic_data_free(struct topic_data *data);

/* Takes one message in; borrows it for the call only. `scratch` holds the decoded payload. */
void topic_data_take(struct topic_data *data, const struct message *message,
                     struct shape_budget *budget, struct arena *scratch);

/* Asserts the invariants: every message is counted under one kind of payload, and the shapes have
 * seen no more than was counted. */
void topic_data_check(const struct topic_data *data);

/* Adds everything that `from` has seen to `into`, and frees `from`. */
void topic_data_merge(struct topic_data *into, struct topic_data *from);

/* The format that a rule for these topics should have. */
enum topic_format topic_data_format(const struct topic_data *data);

/* Do both hold objects or arrays of one form? */
bool topic_data_both_objects(const struct topic_data *left, const struct topic_data *right);

/* May one table hold both? Objects must have three quarters of their members in common when
 * `strict`, else one third. */
bool topic_data_alike(const struct topic_data *left, const struct topic_data *right, bool strict);

#endif
