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
 * walking needs no pointers and building needs one array in an arena. Numbers keep their text, and
 * a container that came as JSON keeps that JSON. So 64-bit integers, long decimals and jsonb
 * columns stay exact. A container of another format has no text; value_json() writes it. decode/
 * builds documents, map/ and row/ read them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_DOCUMENT_H
#define MQTT2PG_CORE_DOCUMENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"
#include "core/value.h"

struct node {
    enum value_kind kind; /* any of them */
    bool boolean;         /* of BOOLEAN */
    uint32_t span;        /* nodes in this subtree, itself included: at least 1 */
    uint32_t count;       /* members or elements of a container */
    struct slice key;     /* name of an object's member, decoded; else empty */
    union {
        /* NUMBER: as written; TEXT: decoded; BYTES; ARRAY, OBJECT: its JSON as it came, or empty */
        struct slice text;
        int64_t time_us; /* of TIME: microseconds since 1970-01-01 00:00:00 UTC */
    };
};

/* The member of this object with exactly this name, or NULL. */
const struct node *node_member(const struct node *object, struct slice name);

/* The element with this index, or NULL; a negative index counts from the end (RFC 9535, section
 * 2.3.3.1). */
const struct node *node_element(const struct node *array, int64_t index);

/* The node as a value; NULL gives VALUE_NULL. Borrows. */
struct value node_value(const struct node *node);

/* Appends the JSON text of any value: of an array or object as it came, or else written from its
 * nodes without white space. Bytes become base64 (RFC 4648, section 4, what PostgreSQL's
 * decode(…, 'base64') reads), times RFC 3339 in UTC. */
void value_append_json(struct buf *out, const struct value *value);

/* The JSON text of an array or object, borrowed where it came as JSON, else in `arena`. */
struct slice value_json(const struct value *value, struct arena *arena);

#endif
