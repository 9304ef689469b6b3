/* SPDX-License-Identifier: MIT */
#include "decode/json_scan.h"

#include <time.h>

#include "../data/cases.h"
#include "base/buf.h"
#include "base/text.h"
#include "decode/json_string.h"
#include "decode/nodes.h"
#include "unit.h"

/* The document as JSON, without white space; and that spans and counts fit together. */
static const struct node *write_node(const struct node *node, struct buf *out)
{
    static const char *const brackets[] = {"[]", "{}"};
    switch (node->kind) {
    case VALUE_NULL:
        buf_append_text(out, "null");
        break;
    case VALUE_BOOLEAN:
        buf_append_text(out, node->boolean ? "true" : "false");
        break;
    case VALUE_NUMBER:
        buf_append_slice(out, node->text);
        break;
    case VALUE_TEXT:
        text_append_json(out, node->text);
        break;
    default: {
        bool object = node->kind == VALUE_OBJECT;
        const struct node *child = node + 1;
        buf_append_byte(out, (uint8_t) brackets[object][0]);
        for (uint32_t i = 0; i < node->count; i++) {
            buf_append_text(out, i > 0 ? "," : "");
            if (object) {
                text_append_json(out, child->key);
                buf_append_byte(out, ':');
            }
            child = write_node(child, out);
        }
        buf_append_byte(out, (uint8_t) brackets[object][1]);
        CHECK(child == node + node->span);
        return child;
    }
    }
    CHECK_INT_EQ(node->span, 1);
    CHECK_INT_EQ(node->count, 0);
    return node + 1;
}

static void run_json_case(const struct test_case *test)
{
    struct arena *arena = arena_new(1000);
    const struct node *root = NULL;
    struct error error;
    struct buf seen = {0};
    CHECK_INT_EQ(test->count, 2);
    if (json_scan(test->fields[0], arena, &root, &error) != OUTCOME_OK) {
        CHECK_INT_EQ(error.outcome, OUTCOME_REJECT);
        buf_printf(&seen, "error: %s", error.text);
    } else {
        write_node(root, &seen);
    }
    unit_check_slice(buf_slice(&seen), test->fields[1], __FILE__, __LINE__, "what was seen");
    bool number =
        root != NULL && root->kind == VALUE_NUMBER && root->text.length == test->fields[0].length;
    CHECK_INT_EQ(json_is_number(test->fields[0]), number);
    buf_fini(&seen);
    arena_free(arena);
}

static void test_cases(void)
{
    cases_run("json.cases", run_json_case);
}

static enum outcome scan(struct buf *text, struct arena *arena, const struct node **root,
                         struct error *error)
{
    arena_reset(arena);
    return json_scan(buf_slice(text), arena, root, error);
}

static void repeat(struct buf *out, const char *text, int count)
{
    for (; count > 0; count--) {
        buf_append_text(out, text);
    }
}

static void test_depth(void)
{
    static const char *const opening[] = {"[", "{\"a\":"};
    static const char *const closing[] = {"]", "}"};
    struct arena *arena = arena_new(1000);
    for (int kind = 0; kind < 2; kind++) {
        for (int depth = 127; depth <= 130; depth++) {
            struct buf text = {0};
            const struct node *root;
            struct error error;
            repeat(&text, opening[kind], depth);
            buf_append_text(&text, "1");
            repeat(&text, closing[kind], depth);
            UNIT_CASE("%s %d deep", opening[kind], depth);
            CHECK_INT_EQ(scan(&text, arena, &root, &error),
                         depth <= NODES_DEPTH_MAX ? OUTCOME_OK : OUTCOME_REJECT);
            buf_fini(&text);
        }
    }
    struct buf text = {0};
    const struct node *root;
    struct error error;
    repeat(&text, "[", 100000);
    CHECK_INT_EQ(scan(&text, arena, &root, &error), OUTCOME_REJECT);
    CHECK_TEXT_EQ(error.text, "byte 129: nested too deep");
    buf_reset(&text); /* side by side is not deep */
    buf_append_text(&text, "[[]");
    repeat(&text, ",[]", 1000);
    buf_append_text(&text, "]");
    CHECK_INT_EQ(scan(&text, arena, &root, &error), OUTCOME_OK);
    buf_fini(&text);
    arena_free(arena);
}

static void test_most_nodes(void)
{
    struct arena *arena = arena_new(1000);
    const struct node *root;
    struct error error;
    struct buf text = {0};
    buf_append_text(&text, "[1");
    repeat(&text, ",1", NODES_COUNT_MAX - 2);
    buf_append_text(&text, "]");
    CHECK_INT_EQ(scan(&text, arena, &root, &error), OUTCOME_OK);
    CHECK_INT_EQ(root->span, NODES_COUNT_MAX);
    CHECK_INT_EQ(root->count, NODES_COUNT_MAX - 1);
    text.length--;
    buf_append_text(&text, ",1]");
    CHECK_INT_EQ(scan(&text, arena, &root, &error), OUTCOME_REJECT);
    CHECK(strstr(error.text, "too many values") != NULL);
    buf_fini(&text);
    arena_free(arena);
}

/* An object of so many members; when `twice` >= 0, the last name is that of this member. */
static void put_object(struct buf *text, int count, int twice)
{
    buf_reset(text);
    buf_append_text(text, "{");
    for (int i = 0; i < count; i++) {
        bool last = i + 1 == count && twice >= 0;
        buf_printf(text, "%s\"key_%05d\":[%d]", i > 0 ? "," : "", last ? twice : i, i);
    }
    buf_append_text(text, "}");
}

/* On both sides of where members are searched and where they are sorted. */
static void test_duplicate_names(void)
{
    struct arena *arena = arena_new(1000);
    const struct node *root;
    struct error error;
    struct buf text = {0};
    for (int count = 2; count < 40; count++) {
        put_object(&text, count, -1);
        UNIT_CASE("%d members", count);
        CHECK_INT_EQ(scan(&text, arena, &root, &error), OUTCOME_OK);
        for (int twice = 0; twice < count - 1; twice++) {
            put_object(&text, count, twice);
            UNIT_CASE("%d members, the last as number %d", count, twice);
            CHECK_INT_EQ(scan(&text, arena, &root, &error), OUTCOME_REJECT);
            CHECK(strstr(error.text, "duplicate name") != NULL);
        }
    }
    buf_fini(&text);
    arena_free(arena);
}

/* Of this process: other programs may have the processors. */
static double processor_seconds(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double) used.tv_sec + (double) used.tv_nsec / 1e9;
}

/* 64 times 20,000 members squared would take half a minute. */
static void test_many_members(void)
{
    struct arena *arena = arena_new(1000);
    const struct node *root;
    struct error error;
    struct buf text = {0};
    double start_seconds = processor_seconds();
    put_object(&text, 20000, -1);
    for (int i = 0; i < 64; i++) {
        CHECK_INT_EQ(scan(&text, arena, &root, &error), OUTCOME_OK);
    }
    CHECK_INT_EQ(root->count, 20000);
    CHECK_SLICE_EQ(node_member(root, slice_of("key_19999"))->text, "[19999]");
    put_object(&text, 20000, 9999);
    CHECK_INT_EQ(scan(&text, arena, &root, &error), OUTCOME_REJECT);
    CHECK(processor_seconds() - start_seconds < 15);
    buf_fini(&text);
    arena_free(arena);
}

/* Containers keep their bytes as they came: jsonb columns get these. */
static void test_raw_text(void)
{
    struct arena *arena = arena_new(1000);
    const struct node *root;
    struct error error;
    struct slice text = slice_of(" { \"a\" : [ 1.50, {\"b\": \"\\u0041\"} ] , \"c\":{ } } ");
    CHECK_INT_EQ(json_scan(text, arena, &root, &error), OUTCOME_OK);
    CHECK_SLICE_EQ(root->text, "{ \"a\" : [ 1.50, {\"b\": \"\\u0041\"} ] , \"c\":{ } }");
    const struct node *a = node_member(root, slice_of("a"));
    CHECK_SLICE_EQ(a->text, "[ 1.50, {\"b\": \"\\u0041\"} ]");
    CHECK_SLICE_EQ(node_element(a, -1)->text, "{\"b\": \"\\u0041\"}");
    CHECK_SLICE_EQ(node_member(node_element(a, 1), slice_of("b"))->text, "A");
    CHECK_SLICE_EQ(node_member(root, slice_of("c"))->text, "{ }");
    CHECK_INT_EQ(root->span, 6);
    arena_free(arena);
}

/* Every beginning of a payload, in memory that ends where it ends, is refused or complete. */
static void test_cut_off(void)
{
    static const char whole[] = "{\"a\":[1,-2.5e+10,true,false,null],\"b\\u00e9\\n\":"
                                "\"\\ud83d\\ude00 and \xc3\xa9\",\"c\":{}}";
    struct arena *arena = arena_new(1000);
    for (size_t length = 0; length < sizeof(whole); length++) {
        const struct node *root;
        struct error error;
        char *cut = malloc(length > 0 ? length : 1);
        memcpy(cut, whole, length);
        UNIT_CASE("%zu bytes", length);
        CHECK_INT_EQ(json_scan(slice_make(cut, length), arena, &root, &error),
                     length == sizeof(whole) - 1 ? OUTCOME_OK : OUTCOME_REJECT);
        free(cut);
    }
    CHECK_INT_EQ(json_scan((struct slice){0}, arena, &(const struct node *){NULL}, NULL),
                 OUTCOME_REJECT);
    arena_free(arena);
}

/* The last of a name counts, in objects of any size; the values that go are of any size, too. */
static void test_lenient(void)
{
    static const int counts[] = {2, 15, 17, 3000};
    const struct format_options lenient = {.lenient = true};
    for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
        struct arena *arena = arena_new(1000);
        struct buf json = {0};
        const struct node *root = NULL;
        struct error error;
        int names = counts[k] / 2 + 1;
        for (int i = 0; i < counts[k]; i++) {
            buf_printf(&json, "%s\"%d\":[%d,[]]", i == 0 ? "{" : ",", i * 7 % names, i);
        }
        buf_append_byte(&json, '}');
        (void) buf_string(&json); /* strtol() wants an end */
        const struct decode_input input = {.payload = buf_slice(&json), .options = &lenient};
        CHECK_INT_EQ(decode_json(&input, arena, &root, &error), OUTCOME_OK);
        UNIT_CASE("%d members", counts[k]);
        CHECK_INT_EQ(root->count, names < counts[k] ? names : counts[k]);
        CHECK_INT_EQ(root->span, 1 + 3 * root->count);
        const struct node *member = root + 1;
        for (uint32_t i = 0; i < root->count; i++, member += member->span) {
            int last = (int) strtol(member[1].text.data, NULL, 10);
            CHECK(last + names >= counts[k] && last < counts[k]);
            CHECK_INT_EQ(strtol(member->key.data, NULL, 10), last * 7 % names);
        }
        buf_fini(&json);
        arena_free(arena);
    }
}

static void test_unescape(void)
{
    char out[4];
    struct slice text = slice_of("\\u00e9x");
    CHECK_INT_EQ(json_unescape(&text, out), 2);
    CHECK(memcmp(out, "\xc3\xa9", 2) == 0);
    CHECK_SLICE_EQ(text, "x");
    CHECK_INT_EQ(json_unescape(&text, out), 0);
    CHECK_SLICE_EQ(text, "x");
    text = slice_of("\\");
    CHECK_INT_EQ(json_unescape(&text, out), 0);
    CHECK(!json_is_number((struct slice){0}));
    CHECK(!json_is_number(slice_of(" 1")));
    CHECK(!json_is_number(slice_of("1 ")));
}

UNIT_MAIN("json_scan", {"cases", test_cases}, {"depth", test_depth},
          {"most nodes", test_most_nodes}, {"duplicate names", test_duplicate_names},
          {"many members", test_many_members}, {"raw text", test_raw_text},
          {"cut off", test_cut_off}, {"unescape", test_unescape}, {"lenient", test_lenient})
