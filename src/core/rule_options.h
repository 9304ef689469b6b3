/*
 * rule_options: one rule as the configuration has it: texts and their places, not compiled.
 *
 * config/ fills it, load/ruleset compiles it. All pointers are owned by the configuration and live
 * as long as it does.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_RULE_OPTIONS_H
#define MQTT2PG_CORE_RULE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/problems.h"
#include "core/format_options.h"

/* Which retained messages a rule takes. */
enum retained_policy {
    RETAINED_NEW,    /* a retained message once, when the subscription is new */
    RETAINED_STORE,  /* on every connection */
    RETAINED_IGNORE, /* never */
};

/* What to do when the row exists: dead letter, keep the old row, or overwrite it. */
enum conflict_policy { CONFLICT_ERROR, CONFLICT_NOTHING, CONFLICT_UPDATE };

/* A column, or a member of an acknowledgment, and the expression for its value. */
struct option_column {
    const char *name;
    const char *expression;
    struct place place;
};

/* The group `ack` of a rule. */
struct ack_options {
    bool wanted; /* the rule has an ack group */
    struct place place;
    struct option_text topic;
    bool on_stored;
    bool on_rejected;
    uint8_t qos;
    bool retain;
    struct option_column *fields;
    size_t field_count;
};

/* The group `partition` of a rule: what happens to rows that get old. */
struct partition_options {
    bool wanted; /* the rule has the group */
    struct place place;
    struct option_text by; /* the column with the time */
    int64_t every_ms;      /* the span of one partition, or of one chunk */
    int64_t keep_ms;       /* partitions that are wholly older are dropped; 0 = none are */
    bool timescale;        /* a hypertable of TimescaleDB instead of partitions */
};

/* One rule as the configuration has it, not compiled. All texts belong to the configuration. */
struct rule_options {
    const char *name;
    struct place place;
    struct option_text *topics; /* in the order of the configuration */
    size_t topic_count;
    uint8_t qos;
    const char *share; /* "" = none */
    enum retained_policy retained;
    struct option_text format;      /* "json" */
    struct format_options decoding; /* the settings of that format, and the compression */
    struct option_text table;       /* of table and sql one is given */
    struct option_text sql;
    struct option_column *columns;
    size_t column_count;
    struct option_column *compute; /* column = SQL expression over the other columns */
    size_t compute_count;
    struct option_text notify; /* a channel */
    struct option_text *where;
    size_t where_count;
    struct option_text rows;
    struct option_text *time_range; /* the earliest and the latest time that is believed */
    size_t time_range_count;
    int64_t retry_for_ms; /* letters that may pass later are tried again so long; 0 = never */
    enum conflict_policy on_conflict;
    struct option_text *key;
    size_t key_count;
    struct option_text newest;
    bool create;
    struct option_text *create_sql; /* statements behind CREATE TABLE, in its transaction */
    size_t create_sql_count;
    struct partition_options partition;
    bool add_columns; /* keys of the payload that no column takes become columns */
    struct ack_options ack;
};

#endif
