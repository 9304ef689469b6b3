/*
 * Collapsing goes from the top down, because what stands below a level decides whether the level
 * varies: children are sorted into classes of alike ones, a class becomes one node with all that
 * stood below its members, and then the same happens below it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "learn/topic_tree.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>

#include "base/memory.h"
#include "learn/column_name.h"
#include "learn/topic_words.h"

/* Bounds of the work, because each comparison looks at two subtrees: how many classes a level is
 * compared with, and how many children of two nodes are compared. */
enum { CLASSES_MAX = 64, COMPARED_MAX = 48 };

/* How many alike levels make a list to which more will be added. MANY_WORDS: a class of this size
 * may take in a word of another kind. VERY_MANY_WORDS: words of this number are compared as if they
 * were names of things. TOP_NAMES: as many names are wanted on the first level of topics. */
enum { MANY_WORDS = 4, VERY_MANY_WORDS = 8, TOP_NAMES = 5 };

/* What the comparison of two nodes says about taking them together. */
enum likeness {
    ALIKE,
    UNRELATED, /* no evidence for or against it */
    DIFFERENT,
};

struct topic_node *topic_tree_new(void)
{
    return memory_alloc(sizeof(struct topic_node));
}

void topic_tree_free(struct topic_node *root)
{
    while (root != NULL) {
        struct topic_node *next = root->next;
        topic_tree_free(root->children);
        topic_data_free(root->data);
        free(root->level);
        free(root);
        root = next;
    }
}

void topic_tree_check(const struct topic_node *root)
{
    size_t children = 0;

    for (const struct topic_node *child = root->children; child != NULL; child = child->next) {
        assert(child->level != NULL);
        assert(!child->rest || (child->varies && child->children == NULL));
        if (child->data != NULL) {
            topic_data_check(child->data);
        }
        topic_tree_check(child);
        children++;
    }
    assert(children == root->child_count);
}

/* The child with exactly this level, or NULL. */
static struct topic_node *find_child(const struct topic_node *parent, struct slice level)
{
    struct topic_node *child = parent->children;
    while (child != NULL && !slice_is(level, child->level)) {
        child = child->next;
    }
    return child;
}

/* Adds the child behind the others, so that rules stand in the order in which topics came. */
static void add_child(struct topic_node *parent, struct topic_node *child)
{
    assert(child->level != NULL && child != parent);
    struct topic_node **end = &parent->children;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    child->next = NULL;
    *end = child;
    parent->child_count++;
}

struct topic_node *topic_tree_find(struct topic_node *root, struct slice topic, bool make)
{
    struct topic_node *node = root;
    const char *at = topic.data;
    const char *end = topic.data + topic.length;
    for (;;) {
        const char *slash = memchr(at, '/', (size_t) (end - at));
        struct slice level = slice_make(at, (size_t) ((slash == NULL ? end : slash) - at));
        struct topic_node *child = find_child(node, level);
        if (child == NULL && make) {
            child = topic_tree_new();
            child->level = memory_copy(level);
            add_child(node, child);
        }
        assert(child != NULL || !make);
        if (child == NULL || slash == NULL) {
            return child;
        }
        node = child;
        at = slash + 1;
    }
}

/* --- likeness --------------------------------------------------------------------------------- */

static bool both_names(const struct topic_node *left, const struct topic_node *right)
{
    return (left->varies || topic_level_is_name(left->level)) &&
           (right->varies || topic_level_is_name(right->level));
}

static enum likeness compare(const struct topic_node *left, const struct topic_node *right,
                             bool loose);

/* The child of `parent` that `wanted` would be taken together with. */
static enum likeness best_of(const struct topic_node *parent, const struct topic_node *wanted)
{
    const struct topic_node *same = find_child(parent, slice_of(wanted->level));
    if (same != NULL) {
        return compare(wanted, same, false);
    }
    size_t tried = 0;
    for (const struct topic_node *child = parent->children; child != NULL && tried < COMPARED_MAX;
         child = child->next, tried++) {
        if (both_names(child, wanted) && compare(wanted, child, false) == ALIKE) {
            return ALIKE;
        }
    }
    return UNRELATED;
}

/* Nodes are alike when enough of their children have an alike one on the other side: a third when
 * both are names, else a half. One pair of children that differs decides against it. */
static enum likeness compare_children(const struct topic_node *left, const struct topic_node *right,
                                      bool names)
{
    size_t compared = 0;
    size_t alike = 0;
    for (const struct topic_node *child = left->children; child != NULL && compared < COMPARED_MAX;
         child = child->next, compared++) {
        enum likeness likeness = best_of(right, child);
        if (likeness == DIFFERENT) {
            return DIFFERENT;
        }
        alike += likeness == ALIKE;
    }
    size_t all = compared > right->child_count ? compared : right->child_count;
    assert(alike <= compared && compared <= COMPARED_MAX);
    all = all > COMPARED_MAX ? COMPARED_MAX : all;
    return alike > 0 && alike * (names ? 3 : 2) >= all ? ALIKE : UNRELATED;
}

/* Two nodes on the same level, whatever they are called. `loose`: their words are taken for names
 * of things. */
static enum likeness compare(const struct topic_node *left, const struct topic_node *right,
                             bool loose)
{
    bool names = loose || both_names(left, right);
    bool same_word = strcmp(left->level, right->level) == 0;
    bool payloads = left->data != NULL && right->data != NULL;
    if (payloads && !topic_data_alike(left->data, right->data, !names && !same_word)) {
        return DIFFERENT;
    }
    if (left->children == NULL || right->children == NULL) {
        return payloads && (names || same_word || left->children == right->children) ? ALIKE
                                                                                     : UNRELATED;
    }
    return compare_children(left, right, names);
}

/* Would a pattern in which `left` varies take a topic below `right`? */
static bool covers(const struct topic_node *left, const struct topic_node *right)
{
    if (left->data != NULL && right->data != NULL) {
        return true;
    }
    for (const struct topic_node *child = left->children; child != NULL; child = child->next) {
        const struct topic_node *same = find_child(right, slice_of(child->level));
        if (same != NULL && covers(child, same)) {
            return true;
        }
    }
    return false;
}

/* --- classes ---------------------------------------------------------------------------------- */

/* One child of the level that is collapsed. */
struct sibling {
    struct topic_node *node;
    size_t class; /* index of the first sibling of its class */
};

struct family {
    struct sibling *list;
    size_t count;
    const char *above; /* the parent's level; NULL = the first level of a topic */
    bool loose;        /* so many words that they must be names */
    bool named;        /* the filter names this level: all are one class */
};

static size_t class_size(const struct family *family, size_t class)
{
    assert(class < family->count);
    size_t size = 0;
    for (size_t i = 0; i < family->count; i++) {
        size += family->list[i].class == class;
    }
    return size;
}

/* Are all words of the class names of things? */
static bool class_is_names(const struct family *family, size_t class)
{
    assert(class < family->count);
    for (size_t i = 0; i < family->count; i++) {
        const struct topic_node *node = family->list[i].node;
        if (family->list[i].class == class && !topic_level_is_name(node->level)) {
            return false;
        }
    }
    return true;
}

/* Puts each sibling into the first class whose first member is alike. A class is numbered by that
 * member, so `class` of a first member is its own index. */
static void classify(struct family *family)
{
    size_t classes[CLASSES_MAX];
    size_t class_count = 0;
    for (size_t i = 0; i < family->count; i++) {
        struct sibling *sibling = &family->list[i];
        sibling->class = i;
        for (size_t c = 0; c < class_count; c++) {
            if (compare(family->list[classes[c]].node, sibling->node, family->loose) == ALIKE) {
                sibling->class = classes[c];
                break;
            }
        }
        if (sibling->class == i && class_count < CLASSES_MAX) {
            classes[class_count++] = i;
        }
    }
}

/* Everything of class `from` is of class `into` now. */
static void join(struct family *family, size_t from, size_t into)
{
    assert(from < family->count && into < family->count);
    assert(family->list[into].class == into);
    for (size_t i = 0; i < family->count; i++) {
        if (family->list[i].class == from) {
            family->list[i].class = into;
        }
    }
}

/* Every member becomes a class of its own: the words stay words. */
static void dissolve(struct family *family, size_t class)
{
    assert(class < family->count);
    for (size_t i = 0; i < family->count; i++) {
        if (family->list[i].class == class) {
            family->list[i].class = i;
        }
    }
}

/* May the class take in `other`, whose topics its pattern would match? Yes for another name of a
 * thing, and for one odd word beside many names ("all" beside d1, d2, d3, d4). A class of words
 * takes in only objects: their other members become other columns. */
static bool may_absorb(const struct family *family, size_t class, const struct topic_node *other)
{
    const struct topic_node *first = family->list[class].node;
    bool names = class_is_names(family, class);
    if (names && (topic_level_is_name(other->level) || class_size(family, class) >= MANY_WORDS)) {
        return true;
    }
    return class_size(family, class) >= MANY_WORDS && first->data != NULL && other->data != NULL &&
           topic_data_both_objects(first->data, other->data);
}

/* Decides whether a class becomes a pattern. If the pattern would match a sibling's topics, the
 * sibling joins the class; where it may not, the class is dissolved and keeps a rule for each
 * word. */
static void decide_class(struct family *family, size_t class)
{
    bool names = class_is_names(family, class);
    if (family->above == NULL && !(names && class_size(family, class) >= TOP_NAMES)) {
        dissolve(family, class);
        return;
    }
    for (size_t i = 0; i < family->count; i++) {
        const struct topic_node *other = family->list[i].node;
        if (family->list[i].class == class) {
            continue;
        }
        bool covered = covers(family->list[class].node, other);
        if (covered && !may_absorb(family, class, other)) {
            dissolve(family, class);
            return;
        }
        if (covered || (names && topic_level_is_name(other->level) &&
                        compare(family->list[class].node, other, false) == UNRELATED)) {
            join(family, family->list[i].class, class);
        }
    }
}

/* The largest class of two or more that is not decided about yet; family->count when there is
 * none. */
static size_t next_class(const struct family *family, const bool *decided, size_t *sizes)
{
    size_t largest = family->count;
    memset(sizes, 0, family->count * sizeof(*sizes));
    for (size_t i = 0; i < family->count; i++) {
        sizes[family->list[i].class]++;
    }
    for (size_t i = 0; i < family->count; i++) {
        if (sizes[i] > 1 && !decided[i] &&
            (largest == family->count || sizes[i] > sizes[largest])) {
            largest = i;
        }
    }
    return largest;
}

/* Decides about all classes, the largest first, because a class takes in smaller ones. */
static void decide_classes(struct family *family)
{
    bool *decided = memory_alloc((family->count + 1) * sizeof(*decided));
    size_t *sizes = memory_alloc((family->count + 1) * sizeof(*sizes));
    size_t class;
    while ((class = next_class(family, decided, sizes)) < family->count) {
        decided[class] = true;
        decide_class(family, class);
    }
    free(decided);
    free(sizes);
}

/* --- merging ---------------------------------------------------------------------------------- */

/* Moves everything below `from` to `into`, adds up their data, and frees `from`. */
static void merge(struct topic_node *into, struct topic_node *from)
{
    assert(into != from);
    struct topic_node *child = from->children;
    if (into->data == NULL) {
        into->data = from->data;
    } else if (from->data != NULL) {
        topic_data_merge(into->data, from->data);
    }
    while (child != NULL) {
        struct topic_node *next = child->next;
        struct topic_node *same = find_child(into, slice_of(child->level));
        child->next = NULL;
        if (same != NULL) {
            merge(same, child);
        } else {
            add_child(into, child);
        }
        child = next;
    }
    free(from->level);
    free(from);
}

/* One node for each class: the first of its members. First all nodes get their place, then the
 * others are merged into them, because merging frees them. */
static void merge_classes(struct topic_node *parent, struct family *family)
{
    assert(parent->child_count == family->count);
    parent->children = NULL;
    parent->child_count = 0;
    for (size_t i = 0; i < family->count; i++) {
        struct topic_node *node = family->list[i].node;
        struct topic_node *first = family->list[family->list[i].class].node;
        assert(family->list[family->list[i].class].class == family->list[i].class);
        if (first == node) {
            node->varies |= class_size(family, i) > 1;
            add_child(parent, node);
        }
    }
    for (size_t i = 0; i < family->count; i++) {
        struct topic_node *first = family->list[family->list[i].class].node;
        if (first != family->list[i].node) {
            merge(first, family->list[i].node);
        }
    }
}

/* Things of several kinds below one word ("zigbee2mqtt/{device}", "devices/{device}"): a plug and a
 * sensor have other members, and stand in one wide table all the same. */
static void join_things(struct family *family, bool many)
{
    size_t first = family->count;
    for (size_t i = 0; many && i < family->count; i++) {
        const struct topic_data *data = family->list[i].node->data;
        if (data == NULL || topic_data_format(data) != FORMAT_OBJECTS) {
            continue;
        }
        if (first == family->count) {
            first = family->list[i].class;
        }
        if (!topic_data_both_objects(data, family->list[first].node->data)) {
            continue;
        }
        join(family, family->list[i].class, first);
    }
}

/* Is the word a plural: "devices", "sensors"? */
static bool is_plural(const char *word)
{
    struct buf singular = {0};
    name_append_singular(&singular, slice_of(word));
    bool plural = strcmp(buf_string(&singular), word) != 0;
    buf_fini(&singular);
    return plural;
}

/* The one device that is there so far, below a word in the plural: others may come. */
static bool is_first_of_many(const struct family *family, size_t index)
{
    const struct topic_node *node = family->list[index].node;
    if (family->above == NULL || !topic_level_is_name(node->level)) {
        return false;
    }
    bool many = topic_level_known(family->above) != NULL || is_plural(family->above);
    for (size_t i = 0; many && i < family->count; i++) {
        many = i == index || (!topic_level_is_name(family->list[i].node->level) &&
                              !covers(node, family->list[i].node));
    }
    return many;
}

/* Does the filter have "{x}" at this level (and not "{x...}")? Then a person says that it
 * varies. */
static bool filter_names(const char *filter, size_t depth)
{
    struct slice level = topic_filter_level(filter, depth);
    return level.length >= 3 && level.data[0] == '{' && level.data[level.length - 2] != '.';
}

static void sort_family(struct family *family)
{
    if (family->named) {
        for (size_t i = 0; i < family->count; i++) {
            family->list[i].class = 0;
        }
        return;
    }
    classify(family);
    decide_classes(family);
    if (family->above != NULL) {
        join_things(family, topic_level_known(family->above) != NULL || is_plural(family->above));
    }
}

/* Collapses the children of `parent`, then the levels below them. `above` is the level of the
 * parent, "" when it varies, NULL for the root. */
static void collapse(struct topic_node *parent, const char *above, const char *filter, size_t depth)
{
    struct family family = {.count = parent->child_count, .above = above};
    family.loose = above != NULL && family.count >= VERY_MANY_WORDS;
    family.named = filter_names(filter, depth);
    family.list = memory_alloc((family.count + 1) * sizeof(*family.list));
    size_t i = 0;
    for (struct topic_node *child = parent->children; child != NULL; child = child->next) {
        family.list[i++].node = child;
    }
    assert(i == family.count);
    sort_family(&family);
    for (i = 0; i < family.count; i++) {
        family.list[i].node->varies = family.named || is_first_of_many(&family, i);
    }
    merge_classes(parent, &family);
    free(family.list);
    for (struct topic_node *child = parent->children; child != NULL; child = child->next) {
        collapse(child, child->varies ? "" : child->level, filter, depth + 1);
    }
}

void topic_tree_collapse(struct topic_node *root, const char *filter)
{
    topic_tree_check(root);
    collapse(root, NULL, filter, 0);
    topic_tree_check(root);
}
