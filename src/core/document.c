/* SPDX-License-Identifier: MIT */
#include "core/document.h"

#include <assert.h>

#include "base/text.h"

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
    assert(element < array + array->span);
    return element;
}

struct value node_value(const struct node *node)
{
    if (node == NULL) {
        return value_null();
    }
    if (node->kind == VALUE_TIME) {
        return value_time(node->time_us);
    }
    struct value value = {.kind = node->kind, .boolean = node->boolean, .text = node->text};
    if (node->kind == VALUE_ARRAY || node->kind == VALUE_OBJECT) {
        value.node = node;
        assert(node->span > node->count);
    }
    return value;
}

/* --- as JSON ---------------------------------------------------------------------------------- */

static void append_base64(struct buf *out, struct slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t start = out->length;
    buf_reserve(out, bytes.length / 3 * 4 + 6);
    buf_append_byte(out, '"');
    for (size_t i = 0; i < bytes.length; i += 3) {
        size_t left = bytes.length - i;
        uint32_t group = (uint32_t) (unsigned char) bytes.data[i] << 16;
        group |= left > 1 ? (uint32_t) (unsigned char) bytes.data[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t) (unsigned char) bytes.data[i + 2] : 0;
        buf_append_byte(out, (uint8_t) digits[group >> 18]);
        buf_append_byte(out, (uint8_t) digits[group >> 12 & 63]);
        buf_append_byte(out, (uint8_t) (left > 1 ? digits[group >> 6 & 63] : '='));
        buf_append_byte(out, (uint8_t) (left > 2 ? digits[group & 63] : '='));
    }
    buf_append_byte(out, '"');
    assert(out->length - start == (bytes.length + 2) / 3 * 4 + 2);
}

/* Recursion is bounded by the depth that decode/nodes allows. Returns the node behind it. */
static const struct node *append_container(struct buf *out, const struct node *node)
{
    bool object = node->kind == VALUE_OBJECT;
    const struct node *child = node + 1;
    assert(object || node->kind == VALUE_ARRAY);
    if (node->text.length > 0) {
        buf_append_slice(out, node->text);
        return node + node->span;
    }
    buf_append_byte(out, object ? '{' : '[');
    for (uint32_t i = 0; i < node->count; i++) {
        if (i > 0) {
            buf_append_byte(out, ',');
        }
        if (object) {
            text_append_json(out, child->key);
            buf_append_byte(out, ':');
        }
        if (child->kind == VALUE_ARRAY || child->kind == VALUE_OBJECT) {
            child = append_container(out, child);
        } else {
            struct value value = node_value(child++);
            value_append_json(out, &value);
        }
    }
    buf_append_byte(out, object ? '}' : ']');
    assert(child == node + node->span);
    return child;
}

void value_append_json(struct buf *out, const struct value *value)
{
    switch (value->kind) {
    case VALUE_NULL:
        buf_append_text(out, "null");
        break;
    case VALUE_BOOLEAN:
        buf_append_text(out, value->boolean ? "true" : "false");
        break;
    case VALUE_NUMBER:
        buf_append_slice(out, value->text);
        break;
    case VALUE_TEXT:
        text_append_json(out, value->text);
        break;
    case VALUE_BYTES:
        append_base64(out, value->text);
        break;
    case VALUE_TIME:
        buf_append_byte(out, '"');
        text_format_time(out, value->time_us);
        buf_append_byte(out, '"');
        break;
    case VALUE_ARRAY:
    case VALUE_OBJECT:
        if (value->text.length > 0) {
            buf_append_slice(out, value->text);
        } else {
            append_container(out, value->node);
        }
        break;
    }
}

struct slice value_json(const struct value *value, struct arena *arena)
{
    assert(value->kind == VALUE_ARRAY || value->kind == VALUE_OBJECT);
    if (value->text.length > 0) {
        return value->text;
    }
    struct buf text = {0};
    append_container(&text, value->node);
    struct slice json = arena_copy(arena, buf_slice(&text));
    buf_fini(&text);
    return json;
}
