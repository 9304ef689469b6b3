/*
 * Any bytes as JSON: refused with a reason, or a document whose parts fit together; and a
 * container's own text, read again, gives the same document.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "base/text.h"
#include "decode/json_scan.h"
#include "fuzz.h"

static const struct node *check_node(const struct node *node)
{
    bool container = node->kind == VALUE_ARRAY || node->kind == VALUE_OBJECT;
    const struct node *child = node + 1;
    require(container || (node->span == 1 && node->count == 0));
    require(node->kind != VALUE_NUMBER || json_is_number(node->text));
    require(text_is_utf8(node->text) && text_is_utf8(node->key));
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->kind == VALUE_OBJECT) {
            require(node_member(node, child->key) == child); /* no earlier one has its name */
        }
        child = check_node(child);
    }
    require(child == node + node->span);
    return child;
}

static void check_same(const struct node *left, const struct node *right)
{
    require(left->span == right->span);
    for (uint32_t i = 0; i < left->span; i++) {
        require(left[i].kind == right[i].kind && left[i].boolean == right[i].boolean);
        require(left[i].span == right[i].span && left[i].count == right[i].count);
        require(slice_equal(left[i].text, right[i].text));
        require(i == 0 || slice_equal(left[i].key, right[i].key));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(4096);
    const struct node *root = NULL;
    const struct node *again = NULL;
    struct error error = {0};
    struct slice text = {(const char *) data, size};
    if (json_scan(text, arena, &root, &error) == OUTCOME_OK) {
        check_node(root);
        for (uint32_t i = 0; i < root->span && i < 50; i++) {
            if (root[i].kind == VALUE_ARRAY || root[i].kind == VALUE_OBJECT) {
                require(json_scan(root[i].text, arena, &again, &error) == OUTCOME_OK);
                check_same(&root[i], again);
            }
        }
    } else {
        require(error.outcome == OUTCOME_REJECT && error.text[0] != '\0');
    }
    arena_free(arena);
    return 0;
}
