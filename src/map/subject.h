/*
 * subject: the message, and inside `rows` the element, for which an expression is evaluated.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_SUBJECT_H
#define MQTT2PG_MAP_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/document.h"
#include "core/message.h"
#include "core/value.h"

struct path_step;

/* Facts for ack fields and ack topics only. */
struct ack_facts {
    bool stored;          /* @status: "stored" or "rejected" */
    const char *reason;   /* @reason: NULL when stored */
    const char *sqlstate; /* @sqlstate: NULL when there is none */
    uint64_t rows;        /* @rows */
    bool rows_later;      /* `rows` is not known yet: see ack_template_fill() */
    int64_t stored_at_us; /* @stored_at */
};

/* An element of `rows` around the one that is the row: "$^" and "@key^". */
struct row_level {
    const struct node *node;
    struct value key;
    const struct row_level *outer; /* the next one out; NULL for the outermost */
};

/* Where paths of "$$" and "$^" led to, so that a message of many rows does not search a large
 * payload for each of them. Holds for one message; zeroed at first. */
enum { PATH_MEMO_PLACES = 8 };

struct path_memo {
    struct {
        const struct path_step *path;
        const struct node *from;
        const struct node *to;
    } places[PATH_MEMO_PLACES];
    unsigned next; /* the place that is used next; the oldest */
};

/* All pointers borrowed for the evaluation. */
struct subject {
    const struct message *message;
    const struct slice *captures; /* in the order of the rule's topic; data == NULL: null */
    const char *rule;             /* @rule */
    const char *client_id;        /* @client_id */
    /* "$$": the whole decoded payload; NULL when no expression of the rule needs it. */
    const struct node *payload;
    /* "$": the same, or inside rows the element. */
    const struct node *here;
    struct value key;              /* "@key": inside rows its name or index */
    const struct row_level *outer; /* "$^", "@key^"; NULL for one level of rows */
    const struct ack_facts *ack;   /* NULL outside acknowledgments */
    struct path_memo *memo;        /* NULL: nothing is remembered */
};

#endif
