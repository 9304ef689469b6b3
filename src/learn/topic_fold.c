/* SPDX-License-Identifier: MIT */
#include "learn/topic_fold.h"

#include <assert.h>

/* From this many patterns on, one table for all is better than one for each. FLAT: for patterns
 * that all stand one level below their parent. DEEP: for others. */
enum { FOLD_FLAT_MIN = 5, FOLD_DEEP_MIN = 4 };

/* What is known of everything below one node. */
struct fold {
    size_t patterns;
    bool single;             /* each payload is one value, alone or in an object of one member */
    bool object;             /* the values are in such objects */
    struct topic_data *data; /* of all patterns together, taken out of the tree */
};

/* Is each payload an object with one member, such as {"value":21.5}? */
static bool is_value_object(const struct topic_data *data)
{
    return topic_data_format(data) == FORMAT_OBJECTS && data->json->member_count == 1 &&
           !data->json->closed && shape_is_only(data->json, VALUE_OBJECT);
}

/* Counts the patterns below the node, and whether all of them bring single values of one kind. */
static void look_below(const struct topic_node *node, struct fold *fold)
{
    for (const struct topic_node *child = node->children; child != NULL; child = child->next) {
        if (child->data != NULL) {
            enum topic_format format = topic_data_format(child->data);
            bool object = is_value_object(child->data);
            fold->object = fold->patterns == 0 ? object : fold->object;
            fold->single &= object || format == FORMAT_TEXT || format == FORMAT_SCALARS ||
                            format == FORMAT_EMPTY;
            fold->single &= object == fold->object || format == FORMAT_EMPTY;
            fold->patterns++;
        }
        look_below(child, fold);
    }
}

/* Moves the data of all nodes below `node` into fold->data; the nodes are left without data. */
static void gather(struct topic_node *node, struct fold *fold)
{
    for (struct topic_node *child = node->children; child != NULL; child = child->next) {
        if (child->data != NULL && fold->data == NULL) {
            fold->data = child->data;
        } else if (child->data != NULL) {
            topic_data_merge(fold->data, child->data);
        }
        child->data = NULL;
        gather(child, fold);
    }
}

/* Does nothing stand deeper than one level below? */
static bool is_flat(const struct topic_node *node)
{
    bool flat = true;
    for (const struct topic_node *child = node->children; child != NULL; child = child->next) {
        flat &= child->children == NULL;
    }
    return flat;
}

/* All that stands below the node becomes "{path...}", or one more level that varies when nothing
 * stands deeper. */
static void fold_below(struct topic_node *node, struct fold *fold)
{
    struct topic_node *first = node->children;
    bool flat = is_flat(node);
    assert(first != NULL && fold->patterns > 0 && fold->data == NULL);
    gather(node, fold);
    assert(fold->data != NULL); /* there were patterns, and each has data */
    topic_tree_free(first->next);
    topic_tree_free(first->children);
    first->next = first->children = NULL;
    first->child_count = 0;
    first->data = fold->data;
    first->varies = true;
    first->rest = !flat;
    node->child_count = 1;
    topic_tree_check(node);
}

void topic_tree_fold(struct topic_node *node)
{
    for (struct topic_node *child = node->children; child != NULL; child = child->next) {
        struct fold fold = {.single = true};
        look_below(child, &fold);
        /* With one child only, the level below is common to all patterns too: go down first. */
        if (fold.single && child->child_count > 1 &&
            fold.patterns >= (is_flat(child) ? FOLD_FLAT_MIN : FOLD_DEEP_MIN)) {
            fold_below(child, &fold);
        } else {
            topic_tree_fold(child);
        }
    }
}
