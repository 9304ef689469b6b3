/*
 * learner: takes in the messages that `mqtt2pg learn` receives, and keeps a summary for each topic.
 * Pure.
 *
 *   message ─recognise─▶ document ─shape─▶ topic_data, one for each topic in a tree of levels
 *
 * No payload is kept, so memory does not grow with the number of messages. It grows with the number
 * of topics and of different members, and both have a limit. When the listening ends, the tree is
 * collapsed (topic_tree), folded (topic_fold) and written as rules (proposal).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_LEARNER_H
#define MQTT2PG_LEARN_LEARNER_H

#include "core/message.h"
#include "learn/topic_tree.h"

/* The two limits keep the learner's memory within some tens of megabytes. A shape is one member of
 * the objects of one topic (learn/shape.h). */
enum { LEARNER_TOPICS_MAX = 5000, LEARNER_SHAPES_MAX = 100000 };

struct learner {
    struct topic_node *root;    /* owned: the topics, level by level */
    struct shape_budget budget; /* how many more shapes may be made */
    struct arena *scratch;      /* owned: what one message is decoded into, emptied before each */
    uint64_t messages;          /* received, also those of topics that are not followed */
    uint64_t topics;            /* that are followed, at most LEARNER_TOPICS_MAX */
    uint64_t missed;            /* messages on topics beyond LEARNER_TOPICS_MAX */
};

/* An empty learner. It ends the process when memory is exhausted, as everything in base/memory. */
struct learner *learner_new(void);
void learner_free(struct learner *learner);

/* Takes one message in; borrows it for the call only. The status that a bridge publishes about
 * itself is passed over: no rule should store it. */
void learner_take(struct learner *learner, const struct message *message);

#endif
