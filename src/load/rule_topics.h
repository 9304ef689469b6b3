/*
 * rule_topics: the topics of one rule. A message is the rule's when one of them matches; the
 * first one that matches fills the captures.
 *
 * All topics of a rule give their captures to the same expressions, so the rule's captures are
 * those of all its topics together. One that a topic does not have is null under that topic.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_RULE_TOPICS_H
#define MQTT2PG_LOAD_RULE_TOPICS_H

#include "base/buf.h"
#include "base/problems.h"
#include "core/rule_options.h"
#include "map/expression.h"
#include "route/topic_filter.h"

struct rule_topics {
    struct topic_filter **filters; /* owned, each too; in the order of the configuration */
    size_t count;
    char **captures; /* owned, each too: of all topics, in the order in which they stand */
    size_t capture_count;
    bool *partial; /* owned: some topic does not have this capture */
};

/* Compiles the topics. Every mistake goes to `problems` at its place; the captures of a topic
 * with a mistake are guessed, so that columns are not blamed for the topic. An empty list is
 * reported by the configuration. */
void rule_topics_compile(struct rule_topics *topics, const struct rule_options *options,
                         struct problems *problems);
void rule_topics_fini(struct rule_topics *topics);

/* The captures are known to expressions of this scope. Borrows the topics. */
void rule_topics_scope(const struct rule_topics *topics, struct scope *scope);

/* Does one of the topics match? Then it fills captures[0 … capture_count - 1], which borrow
 * `topic`. */
bool rule_topics_match(const struct rule_topics *topics, struct slice topic,
                       struct slice *captures);

/* Do the topics of two rules take the same messages? */
bool rule_topics_equal(const struct rule_topics *left, const struct rule_topics *right);

/* "a/{x}, b/{x}/#": as they stand in the configuration. */
void rule_topics_append(struct buf *out, const struct rule_options *options);

#endif
