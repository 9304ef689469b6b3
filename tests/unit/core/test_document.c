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

/* [true,null,"1970-01-01…",{"b":"AP8=","n":1e400,"q\"":{as it came}}]: no container but the last
 * has its text. */
static const struct node binary[] = {
    {.kind = VALUE_ARRAY, .span = 8, .count = 4},
    {.kind = VALUE_BOOLEAN, .span = 1, .boolean = true},
    {.kind = VALUE_NULL, .span = 1},
    {.kind = VALUE_TIME, .span = 1, .time_us = 1},
    {.kind = VALUE_OBJECT, .span = 4, .count = 3},
    {.kind = VALUE_BYTES, .span = 1, .key = SLICE_LITERAL("b"), .text = SLICE_LITERAL("\0\xff")},
    {.kind = VALUE_NUMBER, .span = 1, .key = SLICE_LITERAL("n"), .text = SLICE_LITERAL("1e400")},
    {.kind = VALUE_OBJECT,
     .span = 1,
     .key = SLICE_LITERAL("q\""),
     .text = SLICE_LITERAL("{ \"as\": 1 }")},
};

static void test_json(void)
{
    static const struct {
        struct slice bytes;
        const char *base64;
    } cases[] = {
        {SLICE_LITERAL(""), "\"\""},
        {SLICE_LITERAL("f"), "\"Zg==\""},
        {SLICE_LITERAL("fo"), "\"Zm8=\""},
        {SLICE_LITERAL("foo"), "\"Zm9v\""},
        {SLICE_LITERAL("\xfb\xff\xfe"), "\"+//+\""},
    };
    struct arena *arena = arena_new(1000);
    struct value array = node_value(binary);
    CHECK_SLICE_EQ(value_json(&array, arena),
                   "[true,null,\"1970-01-01T00:00:00.000001Z\","
                   "{\"b\":\"AP8=\",\"n\":1e400,\"q\\\"\":{ \"as\": 1 }}]");
    struct value came = node_value(&binary[7]);
    CHECK(value_json(&came, arena).data == binary[7].text.data);
    struct value time = node_value(&binary[3]);
    CHECK_INT_EQ(time.kind, VALUE_TIME);
    CHECK_INT_EQ(time.time_us, 1);
    CHECK_INT_EQ(time.text.length, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out = {0};
        struct value bytes = value_bytes(cases[i].bytes);
        value_append_json(&out, &bytes);
        CHECK_SLICE_EQ(buf_slice(&out), cases[i].base64);
        buf_fini(&out);
    }
    arena_free(arena);
}

static void test_kind_names(void)
{
    CHECK_TEXT_EQ(value_kind_name(VALUE_NULL), "null");
    CHECK_TEXT_EQ(value_kind_name(VALUE_TIME), "timestamp");
    CHECK_TEXT_EQ(value_kind_name(VALUE_OBJECT), "object");
}

UNIT_MAIN("document", {"members", test_members}, {"elements", test_elements},
          {"as JSON", test_json}, {"values", test_values}, {"kind names", test_kind_names})
