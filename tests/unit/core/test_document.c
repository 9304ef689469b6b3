/* SPDX-License-Identifier: MIT */
#include "core/document.h"

#include "unit.h"

/* {"a":[10,[20],30],"b":"x","":null} */
static const struct node tree[] = {
    {.kind = VALUE_OBJECT, .span = 8, .count = 3, .text = SLICE_LITERAL("{…}")},
    {.kind = VALUE_ARRAY, .span = 5, .count = 3, .key = SLICE_LITERAL("a")},
    {.kind = VALUE_NUMBER, .span = 1, .text = SLICE_LITERAL("10")},
    {.kind = VALUE_ARRAY, .span = 2, .count = 1},
    {.kind = VALUE_NUMBER, .span = 1, .text = SLICE_LITERAL("20")},
    {.kind = VALUE_NUMBER, .span = 1, .text = SLICE_LITERAL("30")},
    {.kind = VALUE_TEXT, .span = 1, .key = SLICE_LITERAL("b"), .text = SLICE_LITERAL("x")},
    {.kind = VALUE_NULL, .span = 1},
};

static void test_members(void)
{
    CHECK(node_member(tree, slice_of("a")) == &tree[1]);
    CHECK(node_member(tree, slice_of("b")) == &tree[6]);
    CHECK(node_member(tree, slice_of("")) == &tree[7]);
    CHECK(node_member(tree, slice_of("ab")) == NULL);
    CHECK(node_member(tree, slice_of("B")) == NULL);
}

static void test_elements(void)
{
    CHECK(node_element(&tree[1], 0) == &tree[2]);
    CHECK(node_element(&tree[1], 1) == &tree[3]);
    CHECK(node_element(&tree[1], 2) == &tree[5]);
    CHECK(node_element(&tree[1], 3) == NULL);
    CHECK(node_element(&tree[1], -1) == &tree[5]);
    CHECK(node_element(&tree[1], -3) == &tree[2]);
    CHECK(node_element(&tree[1], -4) == NULL);
    CHECK(node_element(&tree[1], INT64_MIN) == NULL);
    CHECK(node_element(&tree[1], INT64_MAX) == NULL);
}

static void test_values(void)
{
    CHECK_INT_EQ(node_value(NULL).kind, VALUE_NULL);
    struct value object = node_value(tree);
    CHECK_INT_EQ(object.kind, VALUE_OBJECT);
    CHECK(object.node == tree);
    CHECK_SLICE_EQ(object.text, "{…}");
    struct value text = node_value(&tree[6]);
    CHECK_INT_EQ(text.kind, VALUE_TEXT);
    CHECK(text.node == NULL);
    CHECK_SLICE_EQ(text.text, "x");
}

static void test_kind_names(void)
{
    CHECK_TEXT_EQ(value_kind_name(VALUE_NULL), "null");
    CHECK_TEXT_EQ(value_kind_name(VALUE_TIME), "timestamp");
    CHECK_TEXT_EQ(value_kind_name(VALUE_OBJECT), "object");
}

UNIT_MAIN("document", {"members", test_members}, {"elements", test_elements},
          {"values", test_values}, {"kind names", test_kind_names})
