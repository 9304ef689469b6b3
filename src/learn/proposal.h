/*
 * proposal: rules for the topics that were seen, as a person would begin to write them. Pure.
 *
 * Each pattern of topics becomes one rule. Each capture becomes a text column. Each member of an
 * object becomes a column of a type that holds every value seen; members of nested objects are
 * reached by a path. If one member is an array of objects, the rule gets `rows`. The first member
 * that is a time fills the column "time"; without one @received_at does.
 *
 *   devices/d1/telemetry {"ts":1717236000,"t":21.5}
 *   devices/d2/telemetry {"ts":1717236001,"t":19}
 *
 *     topic   = "devices/{device}/telemetry";
 *     columns = { device = "{device}"; time = "$.ts | unix_s"; t = "$.t :: double precision"; };
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_PROPOSAL_H
#define MQTT2PG_LEARN_PROPOSAL_H

#include "base/buf.h"
#include "learn/topic_tree.h"

enum { PROPOSAL_RULES_MAX = 100 };

struct proposed_column {
    const char *name;       /* of the column; not quoted */
    const char *expression; /* as a rule has it: "$.t :: double precision" */
    const char *note;       /* NULL = none */
    bool off;               /* only a suggestion: written as a comment */
};

struct proposed_rule {
    const char *name;        /* of the rule and of its table */
    const char *topic;       /* with captures: "devices/{device}/telemetry" */
    const char *format;      /* one of the decoders: "json", "text", … */
    const char *compression; /* NULL = none */
    const char *details;     /* the format's own group of settings, whole; NULL = none */
    const char *rows;        /* NULL = none */
    const char *where;       /* leaves messages of other rules out; NULL = takes all */
    const char *key; /* columns that could be its key: "\"device\", \"time\""; NULL = none */
    struct proposed_column *columns;
    size_t column_count;
    size_t column_capacity;
    const char **about; /* comment lines above the rule */
    size_t about_count;
    size_t about_capacity;
};

struct proposal {
    struct arena *arena; /* all texts */
    struct proposed_rule *rules;
    size_t rule_count;
    size_t rule_capacity;
    uint64_t left_out;   /* patterns without a rule, because of PROPOSAL_RULES_MAX */
    uint64_t only_empty; /* topics whose payloads were all empty */
};

/* Makes the rules from a collapsed tree, which is borrowed for the call only. `filter` is what was
 * listened to, written as a rule's topic: its level "{x}" names the capture of that level. Free it
 * with proposal_free(). */
struct proposal *proposal_new(const struct topic_node *root, const char *filter);
void proposal_free(struct proposal *proposal);

/* Appends the setting `rules`, ready to stand in a configuration file. */
void proposal_append(struct buf *out, const struct proposal *proposal);

/* Appends a text in the quotes and escapes that libconfig reads. "${" is written "$${", because the
 * configuration would replace it from the environment. */
void proposal_append_quoted(struct buf *out, const char *text);

#endif
