/*
 * rule: one rule of the configuration, compiled, as far as that is possible without a database.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_RULE_H
#define MQTT2PG_LOAD_RULE_H

#include "ack/ack_template.h"
#include "base/problems.h"
#include "core/rule_options.h"
#include "core/table_shape.h"
#include "decode/format.h"
#include "load/rule_topics.h"
#include "map/condition.h"
#include "map/expression.h"
#include "map/path_uses.h"
#include "map/row_source.h"
#include "pg/pg_failure.h"
#include "row/row_plan.h"
#include "row/time_range.h"

enum { RULE_REASON_MAX = 1024 }; /* bytes of a rejection's reason that are kept */

struct rule {
    const struct rule_options *options; /* borrowed */
    const char *name;                   /* options->name */
    /* A number in hexadecimal made of what decides which rows the rule makes of a message: the same
     * for the same rule under another name (load/lineage). */
    char mark[17];
    int metrics;       /* metrics_rule(name) when the rules are in force (ruleset_enter); else -1 */
    const char *share; /* options->share, "" for none */
    struct rule_topics topics;
    struct format *format;
    const struct decoder *decoder; /* format's */
    struct expression **columns;   /* options->column_count of them */
    const char **column_names;
    size_t column_count;
    const char **computed_names; /* options->compute_count of them */
    struct row_feed feed;        /* the names above, for row_plan_make() */
    struct condition **conditions;
    size_t condition_count;
    struct row_source *rows; /* NULL: one row a message */
    bool has_time_range;
    struct time_range time_range;
    struct ack_template *ack; /* NULL: none wanted */
    bool uses_payload;        /* some expression needs the decoded payload */
    struct path_uses uses;    /* the places of the payload that columns, where and ack read */
    /* The columns as "::type" declares them or their expressions suggest: for create = true, `sql`,
     * and explain. */
    struct table_shape *declared;
};

/* Compiles one rule. Reports every mistake to `problems` at its place; returns NULL when there was
 * one. Borrows `options`. */
struct rule *rule_compile(const struct rule_options *options, struct problems *problems);
void rule_free(struct rule *rule);

/* When edge nodes of Sparkplug B are asked for a new BIRTH; NEVER for other formats. */
enum rebirth_policy rule_rebirth(const struct rule *rule);

/* Writes the reason of a dead letter whose rows PostgreSQL refused: the rule, the column if the
 * server names one, and the server's message. */
void rule_refusal(const struct rule *rule, const struct pg_failure *failure, char *reason,
                  size_t size);

#endif
