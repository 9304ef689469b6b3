/* SPDX-License-Identifier: MIT */
#include "learn/learner.h"

#include <stdlib.h>

#include "base/memory.h"

struct learner *learner_new(void)
{
    struct learner *learner = memory_alloc(sizeof(*learner));
    learner->root = topic_tree_new();
    learner->budget.left = LEARNER_SHAPES_MAX;
    learner->scratch = arena_new(64 << 10);
    return learner;
}

void learner_free(struct learner *learner)
{
    if (learner != NULL) {
        topic_tree_free(learner->root);
        arena_free(learner->scratch);
        free(learner);
    }
}

void learner_take(struct learner *learner, const struct message *message)
{
    bool room = learner->topics < LEARNER_TOPICS_MAX;
    struct topic_node *node = topic_tree_find(learner->root, message->topic, room);
    learner->messages++;
    if (node == NULL || (node->data == NULL && !room)) {
        learner->missed++;
        return;
    }
    if (node->data == NULL) {
        node->data = topic_data_new();
        learner->topics++;
    }
    arena_reset(learner->scratch);
    topic_data_take(node->data, message->payload, message->retained, &learner->budget,
                    learner->scratch);
}
