/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "core/document.h"

#include "convert_case.h"

enum { NODES_MAX = 100 };

/* Arrays of whole numbers, plain strings and null, enough of JSON for this test. Returns the text
 * behind. */
static const char *read_node(const char *at, struct node *nodes, uint32_t *used)
{
    struct node *node = &nodes[(*used)++];
    const char *start = at;
    *node = (struct node){.span = 1};
    if (*at == '[') {
        node->kind = VALUE_ARRAY;
        for (at++; *at != ']'; node->count++) {
            uint32_t before = *used;
            at = read_node(at, nodes, used);
            node->span += *used - before;
            at += *at == ',';
        }
        at++;
    } else if (*at == '"') {
        node->kind = VALUE_TEXT;
        const char *end = strchr(at + 1, '"');
        node->text = slice_make(at + 1, (size_t) (end - at - 1));
        return end + 1;
    } else if (*at == 'n') {
        return at + 4;
    } else {
        node->kind = VALUE_NUMBER;
        at += strspn(at, "-0123456789.");
    }
    node->text = slice_make(start, (size_t) (at - start));
    return at;
}

static const struct {
    const char *type;
    const char *json;
    const char *text; /* NULL: rejected */
    const char *reason;
} arrays[] = {
    {"int[]", "[]", "{}", NULL},
    {"int[]", "[1,null,-3]", "{1,NULL,-3}", NULL},
    {"int[]", "[[1,2],[3,4]]", "{{1,2},{3,4}}", NULL},
    {"int[]", "[[[1],[2]]]", "{{{1},{2}}}", NULL},
    {"int[]", "[[[[[[7]]]]]]", "{{{{{{7}}}}}}", NULL},
    {"int[]", "[[[[[[[7]]]]]]]", NULL, "more than 6 dimensions"},
    {"int[]", "[[],[]]", "{}", NULL},
    {"int[]", "[[],[1]]", NULL, "the inner arrays differ in length"},
    {"int[]", "[[1,2],[3]]", NULL, "the inner arrays differ in length"},
    {"int[]", "[[1],[2,3]]", NULL, "the inner arrays differ in length"},
    {"int[]", "[[1,2,3,4,5,6],[]]", NULL, "the inner arrays differ in length"},
    {"int[]", "[1,[2]]", NULL, "values and arrays stand side by side"},
    {"int[]", "[[1],2]", NULL, "values and arrays stand side by side"},
    {"int[]", "[[1],null]", NULL, "values and arrays stand side by side"},
    {"int[]", "[1,2.5]", NULL, "element 2: 2.5 has a fraction"},
    {"int[]", "[[1,2],[3,\"x\"]]", NULL, "element 4: \"x\" is not a number"},
    {"int[]", "5", NULL, "5 is not an array"},
    {"int[]", "\"{1}\"", NULL, "\"{1}\" is not an array"},
    {"uuid[]", "[5]", NULL, "element 1: 5 can't become uuid"},
    {"text[]", "[\"\",\"NuLL\",\"a b\",\"a\\b\",\"{\",\",\",\"x\",\";\"]",
     "{\"\",\"NuLL\",\"a b\",\"a\\\\b\",\"{\",\",\",x,;}", NULL},
    {"text[]", "[[\"a\"],[null]]", "{{a},{NULL}}", NULL},
    {"jsonb[]", "[[1,2],[3]]", "{\"[1,2]\",[3]}", NULL},
    {"json[]", "[]", "{}", NULL},
    {"box[]", "[\"(1,1),(0,0)\",\"(2,2),(1,1)\"]", "{(1,1),(0,0);(2,2),(1,1)}", NULL},
    {"timestamptz[]", "[\"2026-11-23\"]", "{\"2026-11-23 00:00:00+00\"}", NULL},
};

static void test_arrays(void)
{
    struct arena *arena = arena_new(4096);
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
        UNIT_CASE("%s from %s", arrays[i].type, arrays[i].json);
        struct node nodes[NODES_MAX];
        uint32_t used = 0;
        read_node(arrays[i].json, nodes, &used);
        struct convert_case each = {arrays[i].type, node_value(nodes), arrays[i].text,
                                    arrays[i].reason};
        check_case(&each, arena);
        arena_reset(arena);
    }
    arena_free(arena);
}

/* A ragged array whose first elements promise 10^9 values must not get memory for them. */
static void test_promises(void)
{
    static struct node nodes[1 + 1000 + 1000 + 1000];
    nodes[0] = (struct node){.kind = VALUE_ARRAY, .span = 3001, .count = 1000};
    nodes[1] = (struct node){.kind = VALUE_ARRAY, .span = 2001, .count = 1000};
    nodes[2] = (struct node){.kind = VALUE_ARRAY, .span = 1001, .count = 1000};
    for (size_t i = 3; i < 3000; i++) {
        nodes[i] = (struct node){.kind = VALUE_NULL, .span = 1};
    }
    struct column_shape column = column_of_type("int[]");
    struct arena *arena = arena_new(4096);
    struct value value = node_value(nodes);
    struct datum datum;
    CHECK_INT_EQ(convert_value(&value, &column, arena, &datum, NULL), OUTCOME_REJECT);
    CHECK(arena_used(arena) < 1000);
    arena_free(arena);
    free(column.type_name);
}

static void test_json(void)
{
    static const struct {
        const char *type;
        const char *json;
        const char *expected;
    } cases[] = {
        {"int[]", "[[1,null],[3,4]]", "[[1,null],[3,4]]"},
        {"text[]", "[\"a\",null]", "[\"a\",null]"},
        {"float8[]", "[\"NaN\",1.50]", "[\"NaN\",1.5]"},
        {"int[]", "[]", "[]"},
        {"bool[]", "[1]", "[true]"},
        {"numeric[]", "[1.50,\"NaN\"]", "[1.50,\"NaN\"]"},
        {"date[]", "[\"2026-11-23\"]", "[\"2026-11-23\"]"},
        {"jsonb[]", "[[1,2]]", "[[1,2]]"},
    };
    struct arena *arena = arena_new(4096);
    struct buf out = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%s from %s", cases[i].type, cases[i].json);
        struct node nodes[NODES_MAX];
        uint32_t used = 0;
        read_node(cases[i].json, nodes, &used);
        struct column_shape column = column_of_type(cases[i].type);
        struct value value = node_value(nodes);
        struct datum datum;
        CHECK_INT_EQ(convert_value(&value, &column, arena, &datum, NULL), OUTCOME_OK);
        buf_reset(&out);
        datum_append_json(&out, &datum, &column);
        CHECK_SLICE_EQ(buf_slice(&out), cases[i].expected);
        free(column.type_name);
    }
    buf_fini(&out);
    arena_free(arena);
}

UNIT_MAIN("convert_array", {"arrays", test_arrays}, {"promises", test_promises},
          {"json", test_json})
