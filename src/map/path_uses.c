/* SPDX-License-Identifier: MIT */
#include "map/path_uses.h"

#include <assert.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/memory.h"

/* A key at the end of a longer path is no name for a column anyway. */
enum { DEPTH_MAX = 8 };

void path_uses_fini(struct path_uses *uses)
{
    free(uses->list);
    *uses = (struct path_uses){0};
}

void path_uses_add(struct path_uses *uses, const struct path_use *use)
{
    assert(uses->count <= PATH_USES_MAX);
    if (uses->count == PATH_USES_MAX) {
        uses->too_many = true;
        return;
    }
    uses->list = memory_grow(uses->list, uses->count, &uses->capacity, sizeof(*uses->list));
    uses->list[uses->count++] = *use;
}

/* --- walking a payload ------------------------------------------------------------------------ */

/* What leads to a node: the rest of each path that goes through it. */
struct trail {
    const struct path_step *steps[PATH_USES_MAX + 1];
    size_t count;
    bool used;                    /* some path ends here */
    const struct path_step *rows; /* the rest of `rows` */
    bool on_rows;                 /* `rows` goes through here or ends here */
    unsigned levels;              /* wildcards of `rows` on the way */
};

struct walk {
    const struct path_uses *uses;
    bool (*tell)(void *context, const struct untaken_key *key);
    void *context;
    struct buf path;
    struct buf expression;
    size_t start; /* in `path`: where the row's own begins */
    bool in_row;
    bool ended; /* `tell` returned false */
};

/* Clears the members, but not the array of steps, which is large. */
static void trail_begin(struct trail *trail)
{
    trail->count = 0;
    trail->used = false;
    trail->rows = NULL;
    trail->on_rows = false;
    trail->levels = 0;
}

/* A path goes through a node, or ends there. */
static void follow(struct trail *trail, const struct path_step *rest)
{
    assert(trail->count <= PATH_USES_MAX);
    if (rest == NULL) {
        trail->used = true;
    } else {
        trail->steps[trail->count++] = rest;
    }
}

/* The paths that begin at an element of `rows`, `out` levels out of the row. */
static void begin_level(const struct path_uses *uses, struct trail *trail, unsigned out)
{
    for (size_t i = 0; i < uses->count; i++) {
        if (uses->list[i].root == PATH_FROM_LEVEL && uses->list[i].out == out) {
            follow(trail, uses->list[i].steps);
        }
    }
}

/* Goes along `rows`, when its next step is of this kind. A name may stand behind the last wildcard:
 * then the row is what the name leads to, and its levels end there. */
static void follow_rows(const struct walk *walk, struct trail *into, const struct trail *from,
                        const struct node *child, bool member)
{
    const struct path_step *step = from->rows;
    bool wildcard;

    if (step == NULL) {
        return;
    }
    wildcard = step->kind == (member ? PATH_ALL_MEMBERS : PATH_ALL_ELEMENTS);
    if (!wildcard &&
        !(member && step->kind == PATH_MEMBER && slice_equal(step->name, child->key))) {
        return;
    }
    into->on_rows = true;
    into->rows = step->next;
    into->levels = from->levels + wildcard;
    if (wildcard && into->levels < walk->uses->row_levels) {
        begin_level(walk->uses, into, walk->uses->row_levels - into->levels);
    } else if (step->next == NULL) {
        begin_level(walk->uses, into, 0);
    }
}

static void look(struct walk *walk, const struct node *node, const struct trail *trail, int depth);

/* Calls `tell` for a member that no path reaches. */
static void tell(struct walk *walk, const struct node *member)
{
    const struct untaken_key key = {.node = member,
                                    .path = buf_string(&walk->path) + walk->start,
                                    .expression = buf_string(&walk->expression),
                                    .in_row = walk->in_row};

    walk->ended = !walk->tell(walk->context, &key);
}

/* `below` leads to a row: its keys are named from the row on. */
static void look_at_row(struct walk *walk, const struct node *row, const struct trail *below,
                        int depth)
{
    struct buf outside = walk->expression;
    size_t start = walk->start;
    bool in_row = walk->in_row;

    walk->start = walk->path.length;
    walk->in_row = true;
    walk->expression = (struct buf){0};
    buf_append_byte(&walk->expression, '$');
    look(walk, row, below, depth);
    buf_fini(&walk->expression);
    walk->expression = outside;
    walk->start = start;
    walk->in_row = in_row;
}

/* Follows the paths that go through this member; calls `tell` for a member without one. */
static void look_at_member(struct walk *walk, const struct node *member, const struct trail *trail,
                           int depth)
{
    assert(trail->count <= PATH_USES_MAX);
    struct trail below;
    size_t length = walk->path.length;
    size_t expression_length = walk->expression.length;

    trail_begin(&below);
    for (size_t i = 0; i < trail->count; i++) {
        const struct path_step *step = trail->steps[i];

        if (step->kind == PATH_MEMBER && slice_equal(step->name, member->key)) {
            follow(&below, step->next);
        }
    }
    follow_rows(walk, &below, trail, member, true);
    buf_append_text(&walk->path, length == walk->start ? "" : ".");
    buf_append_slice(&walk->path, member->key);
    path_append_member(&walk->expression, member->key);
    if (below.count == 0 && !below.used && !below.on_rows) {
        tell(walk, member);
    } else if (below.on_rows && below.rows == NULL) {
        look_at_row(walk, member, &below, depth + 1);
    } else {
        look(walk, member, &below, depth + 1);
    }
    walk->path.length = length;
    walk->expression.length = expression_length;
}

/* The first element stands for all of them. */
static void look_at_element(struct walk *walk, const struct node *array, const struct trail *trail,
                            int depth)
{
    assert(array->kind == VALUE_ARRAY && array->count > 0);
    struct trail below;

    trail_begin(&below);
    follow_rows(walk, &below, trail, array + 1, false);
    if (below.on_rows && below.rows == NULL) {
        look_at_row(walk, array + 1, &below, depth + 1);
    } else if (below.on_rows) {
        look(walk, array + 1, &below, depth + 1);
    }
}

/* Looks at the parts of a node. It recurses at most DEPTH_MAX deep. */
static void look(struct walk *walk, const struct node *node, const struct trail *trail, int depth)
{
    assert(depth <= DEPTH_MAX + 1);
    if (trail->used || depth > DEPTH_MAX || node->count == 0) {
        return;
    }
    if (node->kind == VALUE_ARRAY) {
        look_at_element(walk, node, trail, depth);
    } else if (node->kind == VALUE_OBJECT) {
        const struct node *member = node + 1;

        for (uint32_t i = 0; i < node->count && !walk->ended; i++, member += member->span) {
            look_at_member(walk, member, trail, depth);
        }
    }
}

void path_uses_untaken(const struct path_uses *uses, const struct node *payload,
                       bool (*tell_key)(void *context, const struct untaken_key *key),
                       void *context)
{
    struct walk walk = {.uses = uses, .tell = tell_key, .context = context};
    struct trail trail;

    if (uses->too_many || payload == NULL) {
        return;
    }
    trail_begin(&trail);
    trail.rows = uses->rows;
    trail.on_rows = uses->rows != NULL;
    for (size_t i = 0; i < uses->count; i++) {
        if (uses->list[i].root == PATH_FROM_PAYLOAD) {
            follow(&trail, uses->list[i].steps);
        }
    }
    begin_level(uses, &trail, uses->row_levels);
    walk.in_row = uses->rows == NULL;
    buf_append_text(&walk.expression, walk.in_row ? "$" : "$$");
    look(&walk, payload, &trail, 0);
    buf_fini(&walk.expression);
    buf_fini(&walk.path);
}
