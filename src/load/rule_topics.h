/*
 * rule_topics: the topics of one rule. The rule takes a message when one of the topics matches; the
 * first topic that matches fills the captures.
 *
 * The rule's captures are those of all its topics together. For a message of a topic that lacks a
 * capture, that capture is null.
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
    char **captures; /* owned, each too; of all topics, in the order of their first appearance */
    size_t capture_count;
    bool *partial; /* owned: some topic does not have this capture */
};

/* Compiles the topics. Every mistake goes to `problems` at its place; the captures of a topic
 * with a mistake are guessed, so that columns are not blamed for the topic. An empty list is
 * reported by the configuration. */
void rule_topics_compile(struct rule_topics *topics, const struct rule_options *options,
                         struct problems *problems);
void rule_topics_fini(struct rule_topics *topics);

/* Makes the captures known to expressions of this scope. Borrows the topics. */
void rule_topics_scope(const struct rule_topics *topics, struct scope *scope);

/* Does one of the topics match? If so, fills captures[0 … capture_count - 1], which borrow
 * `topic`. */
bool rule_topics_match(const struct rule_topics *topics, struct slice topic,
                       struct slice *captures);

/* Do the topics of two rules take the same messages? */
bool rule_topics_equal(const struct rule_topics *left, const struct rule_topics *right);

/* Appends the topics as the configuration writes them: "a/{x}, b/{x}/#". */
void rule_topics_append(struct buf *out, const struct rule_options *options);

#endif
