/*
 * path_uses: the places of a payload that the expressions of one rule use, and the keys that no
 * column takes. Pure.
 *
 *   columns   $.ts   $.pos.lat   {"ts": 1, "pos": {"lat": 5, "lon": 6}, "power": 7}
 *   untaken                                                 pos.lon      power
 *
 * A place is used with everything below it. Elements of an array have no names: an array is looked
 * into only where `rows` leads through it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_PATH_USES_H
#define MQTT2PG_MAP_PATH_USES_H

#include <stdbool.h>
#include <stddef.h>

#include "core/document.h"
#include "map/path.h"

/* With more places in one rule, all keys count as used. */
enum { PATH_USES_MAX = 256 };

/* Where the steps begin. */
enum path_root {
    PATH_FROM_PAYLOAD, /* "$$" */
    PATH_FROM_LEVEL,   /* "$", "$^": the element `out` levels out; of all levels the payload */
};

/* One place that an expression looks at. */
struct path_use {
    enum path_root root;
    unsigned out; /* of LEVEL: 0 is "$" */
    const struct path_step *steps;
};

/* Of one rule. Zero-initialized memory is an empty one. The steps are borrowed from expressions. */
struct path_uses {
    struct path_use *list; /* owned */
    size_t count;
    size_t capacity;
    const struct path_step *rows; /* borrowed from the rule's row_source; NULL: one row a message */
    unsigned row_levels;          /* wildcards in `rows`; 0 without */
    bool too_many;
};

/* Frees the list; the steps stay, for they are borrowed. */
void path_uses_fini(struct path_uses *uses);
void path_uses_add(struct path_uses *uses, const struct path_use *use);

/* A key that no column takes. */
struct untaken_key {
    const struct node *node;
    const char *path;       /* "pos.lon"; of a row: from its element on; valid during the call */
    const char *expression; /* the same as a rule writes it: "$.pos.lon", "$$['odd key']" */
    bool in_row;            /* below an element of `rows` */
};

/* Calls `tell` for each member of an object that no expression looks at, in document order, until
 * `tell` returns false. Of `rows` it looks at the first element of each array. */
void path_uses_untaken(const struct path_uses *uses, const struct node *payload,
                       bool (*tell)(void *context, const struct untaken_key *key), void *context);

#endif
