/*
 * document: a decoded payload, as a flat array of nodes in document order.
 *
 *   {"a":[1,2],"b":"x"}   →   OBJECT span 5
 *                               ARRAY  span 3   key a
 *                                 NUMBER "1"
 *                                 NUMBER "2"
 *                               TEXT "x"        key b
 *
 * A container's children follow it directly; `node + node->span` is the node behind its subtree, so
 * walking needs no pointers and building needs one array in an arena. Numbers keep their text,
 * containers the JSON text that they came from: that is how 64-bit integers, long decimals and
 * jsonb columns stay exact. decode/ builds documents, map/ and row/ read them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_DOCUMENT_H
#define MQTT2PG_CORE_DOCUMENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "core/value.h"

struct node {
    enum value_kind kind; /* NULL, BOOLEAN, NUMBER, TEXT, BYTES, ARRAY or OBJECT */
    bool boolean;         /* of BOOLEAN */
    uint32_t span;        /* nodes in this subtree, itself included: at least 1 */
    uint32_t count;       /* members or elements of a container */
    struct slice key;     /* name of an object's member, decoded; else empty */
    struct slice
        text; /* NUMBER: as written; TEXT: decoded; BYTES; ARRAY, OBJECT: its JSON text, as it came */
};

/* The member of this object with exactly this name, or NULL. */
const struct node *node_member(const struct node *object, struct slice name);

/* The element with this index, or NULL; a negative index counts from the end (RFC 9535, section
 * 2.3.3.1). */
const struct node *node_element(const struct node *array, int64_t index);

/* The node as a value; NULL gives VALUE_NULL. Borrows. */
struct value node_value(const struct node *node);

#endif
