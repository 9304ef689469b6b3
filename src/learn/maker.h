/*
 * maker: one rule of a proposal while it is made: its columns, and the comments above it. Only for
 * files of learn/.
 *
 * proposal.c makes the topic, the name and the key of a rule; proposal_columns.c adds the columns
 * that come from the payload. Both work on one struct maker. All texts lie in the arena of the
 * proposal, so nothing here has to be freed but `names`, by whoever set it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_MAKER_H
#define MQTT2PG_LEARN_MAKER_H

#include "learn/column_name.h"
#include "learn/proposal.h"

/* Topics with more levels than this get no rule. */
enum { TOPIC_LEVELS_MAX = 128 };

struct maker {
    struct proposal *proposal;     /* borrowed: its arena holds every text */
    struct proposed_rule *rule;    /* borrowed from the proposal: the rule that is made */
    struct name_list *names;       /* borrowed: the names that columns of this rule have */
    const struct topic_data *data; /* borrowed: what the messages of its topics held */
    const char *time;              /* the column that a time in the payload fills; NULL = none */
};

/* Adds a column and returns its name. A name that another column has gets `prefix` in front, then a
 * number: "device" → "payload_device" → "payload_device_2". `expression` and `note` are borrowed
 * and must live as long as the proposal; `note` may be NULL. */
const char *maker_add_column(struct maker *maker, struct slice name, const char *prefix,
                             const char *expression, const char *note);

/* Adds a comment line above the rule, formatted as by printf(3) and cut at 511 bytes. */
void maker_tell(struct maker *maker, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
