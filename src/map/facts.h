/*
 * facts: the facts about a message, which begin with "@". Each has a row in facts[], from which the
 * reference page is made. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_FACTS_H
#define MQTT2PG_MAP_FACTS_H

#include <stddef.h>

#include "base/arena.h"
#include "core/value.h"
#include "map/subject.h"

enum fact_place {
    FACT_ANYWHERE,
    FACT_IN_ROWS, /* in a rule with `rows` */
    FACT_IN_ACK,  /* in ack fields and ack topics */
};

struct fact {
    const char *name; /* without the "@" */
    enum fact_place place;
    bool named;       /* ".NAME" follows */
    const char *type; /* the type that a column made from it gets */
    const char *help; /* one line */
    /* Borrows from the subject or lives in `arena`. TEXT may still be malformed: what comes from
     * outside is checked by expression_evaluate(). */
    struct value (*get)(const struct subject *subject, struct slice name, struct arena *arena);
};

extern const struct fact facts[];
extern const size_t fact_count;

/* NULL when there is no such fact. */
const struct fact *fact_find(struct slice name);

/* A number's text in `arena`. */
struct value value_of_integer(uint64_t integer, struct arena *arena);

#endif
