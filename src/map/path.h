/*
 * path: the steps behind "$" that lead from a node to one node below it.
 *
 * A subset of RFC 9535 (JSONPath) that names one value: `.name` (section 2.5.1.1: letters, "_",
 * characters beyond ASCII, digits not first), `['name']`, `["name"]` with the escapes of section
 * 2.3.1.1, `[index]` with negative indexes. White space may stand between steps and within
 * brackets. For a rule's `rows` also the wildcards `[*]` and `.*`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_PATH_H
#define MQTT2PG_MAP_PATH_H

#include "core/document.h"
#include "map/parser.h"

enum path_step_kind {
    PATH_MEMBER,       /* .name */
    PATH_ELEMENT,      /* [0] */
    PATH_ALL_MEMBERS,  /* .* */
    PATH_ALL_ELEMENTS, /* [*] */
};

/* Lives in a parser's arena. */
struct path_step {
    enum path_step_kind kind;
    struct slice name; /* of MEMBER */
    int64_t index;     /* of ELEMENT; negative: from the end */
    size_t length;     /* of the text up to behind this step: for messages */
    struct path_step *next;
};

/* Reads the steps that stand next. *steps is NULL when there are none. Wildcards are a mistake
 * unless allowed. */
enum outcome path_parse(struct parser *parser, bool wildcards, struct path_step **steps) MUST_CHECK;

/* Appends the step to a member: ".name", or "['odd name']" where a name needs quotes. */
void path_append_member(struct buf *out, struct slice name);

/* The node that one step leads to, or NULL: it is not there, or `node` is no container of that
 * kind. */
static inline const struct node *path_step_take(const struct path_step *step,
                                                const struct node *node)
{
    if (step->kind == PATH_MEMBER) {
        return node->kind == VALUE_OBJECT ? node_member(node, step->name) : NULL;
    }
    return node->kind == VALUE_ARRAY ? node_element(node, step->index) : NULL;
}

/* The node that all steps lead to, or NULL. No wildcards. */
static inline const struct node *path_walk(const struct path_step *step, const struct node *node)
{
    for (; step != NULL && node != NULL; step = step->next) {
        node = path_step_take(step, node);
    }
    return node;
}

#endif
