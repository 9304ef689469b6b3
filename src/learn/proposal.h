/*
 * proposal: rules for the topics that were seen, as a person would begin to write them. Pure.
 *
 * One rule per pattern of topics. Captures become text columns, the members of objects columns with
 * the type that holds all that was seen, nested objects paths; one array of objects becomes the
 * rule's `rows`; the first member that is a clock becomes the column "time", else it is
 * @received_at.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_PROPOSAL_H
#define MQTT2PG_LEARN_PROPOSAL_H

#include "base/buf.h"
#include "learn/topic_tree.h"

enum { PROPOSAL_RULES_MAX = 100 };

struct proposed_column {
    const char *name;
    const char *expression;
    const char *note; /* NULL = none */
    bool off;         /* only a suggestion: written as a comment */
};

struct proposed_rule {
    const char *name; /* of the rule and of its table */
    const char *topic;
    const char *format;
    const char *compression; /* NULL = none */
    const char *details;     /* the format's own group of settings, whole; NULL = none */
    const char *rows;        /* NULL = none */
    const char *where;       /* leaves what another rule takes to that; NULL = all messages */
    const char *key; /* the columns that could be its key, as libconfig writes them; NULL = none */
    struct proposed_column *columns;
    size_t column_count;
    size_t column_capacity;
    const char **about; /* lines for a person */
    size_t about_count;
    size_t about_capacity;
};

struct proposal {
    struct arena *arena; /* all texts */
    struct proposed_rule *rules;
    size_t rule_count;
    size_t rule_capacity;
    uint64_t left_out;   /* patterns beyond PROPOSAL_RULES_MAX */
    uint64_t only_empty; /* topics with nothing but empty payloads */
};

/* From a collapsed tree. `filter` is what was listened to, in the language of rules: a level "{x}"
 * of it names a level that varies. */
struct proposal *proposal_new(const struct topic_node *root, const char *filter);
void proposal_free(struct proposal *proposal);

/* The setting `rules` of a configuration. */
void proposal_append(struct buf *out, const struct proposal *proposal);

/* A text as libconfig writes it, with its quotes; "${" as the configuration wants it. */
void proposal_append_quoted(struct buf *out, const char *text);

#endif
