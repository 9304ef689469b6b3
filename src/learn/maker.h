/*
 * maker: one rule of a proposal in the making: its columns, and lines for a person. Inside of learn/
 * only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_MAKER_H
#define MQTT2PG_LEARN_MAKER_H

#include "learn/column_name.h"
#include "learn/proposal.h"

enum { TOPIC_LEVELS_MAX = 128 };

/* One rule in the making. */
struct maker {
    struct proposal *proposal;
    struct proposed_rule *rule;
    struct name_list *names;       /* columns of this rule */
    const struct topic_data *data; /* what its topics brought */
    const char *time;              /* the column of the payload's own clock; NULL = none */
};

/* Adds a column; its name is made unique, at first by putting `prefix` in front. Returns the
 * name. */
const char *maker_add_column(struct maker *maker, struct slice name, const char *prefix,
                             const char *expression, const char *note);

/* A line for a person above the rule. */
void maker_tell(struct maker *maker, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
