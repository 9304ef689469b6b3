/* SPDX-License-Identifier: MIT */
#include "core/document.h"

const struct node *node_member(const struct node *object, struct slice name)
{
    const struct node *member = object + 1;
    for (uint32_t i = 0; i < object->count; i++, member += member->span) {
        if (slice_equal(member->key, name)) {
            return member;
        }
    }
    return NULL;
}

const struct node *node_element(const struct node *array, int64_t index)
{
    int64_t wanted = index < 0 ? index + array->count : index;
    if (wanted < 0 || wanted >= array->count) {
        return NULL;
    }
    const struct node *element = array + 1;
    for (int64_t i = 0; i < wanted; i++) {
        element += element->span;
    }
    return element;
}

struct value node_value(const struct node *node)
{
    if (node == NULL) {
        return value_null();
    }
    struct value value = {.kind = node->kind, .boolean = node->boolean, .text = node->text};
    if (node->kind == VALUE_ARRAY || node->kind == VALUE_OBJECT) {
        value.node = node;
    }
    return value;
}
