/*
 * learner: takes messages in, and knows a bounded amount about them. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_LEARNER_H
#define MQTT2PG_LEARN_LEARNER_H

#include "core/message.h"
#include "learn/topic_tree.h"

/* Some tens of megabytes at most. */
enum { LEARNER_TOPICS_MAX = 5000, LEARNER_SHAPES_MAX = 100000 };

struct learner {
    struct topic_node *root;
    struct shape_budget budget;
    struct arena *scratch;
    uint64_t messages; /* seen, those on topics that are not followed included */
    uint64_t topics;   /* followed */
    uint64_t missed;   /* messages on topics beyond LEARNER_TOPICS_MAX */
};

struct learner *learner_new(void);
void learner_free(struct learner *learner);

/* A bridge's own status topic is passed over. */
void learner_take(struct learner *learner, const struct message *message);

#endif
