/* SPDX-License-Identifier: MIT */
#include "learn/learner.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "decode/sparkplug_topic.h"

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

/* Is this what a bridge publishes about itself: "online" or "offline" on mqtt2pg/CLIENT_ID/status,
 * the default of broker.status_topic? Its last will and testament looks the same. */
static bool is_bridge_status(const struct message *message)
{
    struct slice topic = message->topic;
    struct slice begin = slice_of("mqtt2pg/"), end = slice_of("/status");
    if (topic.length <= begin.length + end.length ||
        memcmp(topic.data, begin.data, begin.length) != 0 ||
        memcmp(topic.data + topic.length - end.length, end.data, end.length) != 0) {
        return false;
    }
    return slice_is(message->payload, "online") || slice_is(message->payload, "offline");
}

/* The topic that the message is counted under. One rule stores all of Sparkplug B, so all topics
 * that begin with "spBv1.0/" are counted as the one topic "spBv1.0". */
static struct slice topic_of(const struct message *message)
{
    struct sparkplug_topic parsed;
    struct slice topic = message->topic;
    if (sparkplug_topic_parse(topic, &parsed)) {
        topic.length = parsed.prefix.length + sizeof("spBv1.0") - 1;
    }
    return topic;
}

void learner_take(struct learner *learner, const struct message *message)
{
    if (is_bridge_status(message)) {
        return;
    }
    bool room = learner->topics < LEARNER_TOPICS_MAX;
    struct topic_node *node = topic_tree_find(learner->root, topic_of(message), room);
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
    topic_data_take(node->data, message, &learner->budget, learner->scratch);
}
