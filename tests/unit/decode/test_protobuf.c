/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "decode/decode_protobuf.h"
#include "decode/nodes.h"
#include "decode/protobuf_schema.h"
#include "format_case.h"
#include "unit.h"

#define DESCRIPTOR "tests/data/protobuf/all.desc"

static enum outcome prepare(const char *descriptor, const char *message, void **state,
                            struct error *error)
{
    const struct format_options options = {
        .protobuf = {.descriptor = descriptor, .message.text = message}};
    struct place place = {0};
    *state = NULL;
    error_clear(error);
    return decode_protobuf_prepare(&options, state, &place, error);
}

static void run_case(const struct test_case *test)
{
    struct slice payload = format_case_bytes(test->fields[1]);
    struct error error;
    char name[64];
    void *state;
    CHECK_INT_EQ(test->count, 3);
    snprintf(name, sizeof(name), "test.%.*s", SLICE_ARGS(test->fields[0]));
    CHECK_INT_EQ(prepare(DESCRIPTOR, name, &state, &error), OUTCOME_OK);
    format_case_check("protobuf", &(struct decode_input){.payload = payload, .state = state},
                      test->fields[2]);
    decode_protobuf_release(state);
    free((void *) payload.data);
}

static void test_cases(void)
{
    cases_run("protobuf/protobuf.cases", run_case);
}

static void test_settings(void)
{
    static const struct {
        const char *descriptor;
        const char *message;
        const char *reason;
    } cases[] = {
        {NULL, "test.Point",
         "needs protobuf: { descriptor = \"sensor.desc\"; message = \"package.Name\"; }"},
        {DESCRIPTOR, NULL,
         "needs protobuf: { descriptor = \"sensor.desc\"; message = \"package.Name\"; }"},
        {DESCRIPTOR, "test.Pont",
         "no message \"test.Pont\" in the descriptor set (did you mean test.Point)"},
        {DESCRIPTOR, "Zzzzzzzzzzzzz",
         "no message \"Zzzzzzzzzzzzz\" in the descriptor set (its last one is test.Old.Item)"},
        {"tests/data/protobuf/all.proto", "test.Point",
         "tests/data/protobuf/all.proto: no descriptor set (no tag of a field): protoc "
         "--include_imports -o FILE writes one"},
        {"/dev/null", "test.Point",
         "/dev/null: no descriptor set (it has no message): protoc --include_imports -o FILE "
         "writes one"},
    };
    struct error error;
    void *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%zu", i);
        CHECK_INT_EQ(prepare(cases[i].descriptor, cases[i].message, &state, &error),
                     OUTCOME_REJECT);
        CHECK_TEXT_EQ(error.text, cases[i].reason);
        if (state != NULL) {
            decode_protobuf_release(state);
        }
    }
    CHECK(prepare("/nowhere", "test.Point", &state, &error) != OUTCOME_OK);
    decode_protobuf_release(state);
}

/* The set cut anywhere is refused, or has fewer messages; never more is read than is there. */
static void test_cut(void)
{
    struct buf set = {0};
    struct error error;
    CHECK_INT_EQ(file_load(DESCRIPTOR, 1 << 20, &set, &error), OUTCOME_OK);
    for (size_t length = 0; length < set.length; length++) {
        struct arena *arena = arena_new(1000);
        struct proto_schema schema;
        char *exact = malloc(length > 0 ? length : 1);
        memcpy(exact, set.data, length);
        if (proto_schema_read(slice_make(exact, length), arena, &schema, &error) == OUTCOME_OK) {
            CHECK(schema.message_count > 0);
        }
        free(exact);
        arena_free(arena);
    }
    buf_fini(&set);
}

/* Messages in messages, deeper than the limit. */
static void test_depth(void)
{
    struct arena *arena = arena_new(1000);
    struct error error;
    struct buf payload = {0};
    const struct node *root;
    void *state;
    CHECK_INT_EQ(prepare(DESCRIPTOR, "test.Point", &state, &error), OUTCOME_OK);
    for (int depth = 0; depth < 140; depth++) {
        struct buf outer = {0};
        buf_append_byte(&outer, 0x1a);
        if (payload.length >= 128) {
            buf_append_byte(&outer, (uint8_t) (payload.length & 127) | 128);
        }
        buf_append_byte(&outer,
                        (uint8_t) (payload.length >= 128 ? payload.length >> 7 : payload.length));
        buf_append_slice(&outer, buf_slice(&payload));
        buf_fini(&payload);
        payload = outer;
        const struct decode_input input = {.payload = buf_slice(&payload), .state = state};
        UNIT_CASE("%d", depth);
        CHECK_INT_EQ(decode_protobuf(&input, arena, &root, &error) == OUTCOME_OK,
                     depth + 2 <= NODES_DEPTH_MAX);
    }
    decode_protobuf_release(state);
    buf_fini(&payload);
    arena_free(arena);
}

/* A field of `length` bytes that are all `byte`, as often as fits into `bytes`. */
static void fill(struct buf *payload, uint8_t tag, size_t length, size_t bytes)
{
    buf_reset(payload);
    while (payload->length < bytes) {
        buf_append_byte(payload, tag);
        for (size_t rest = length;; rest >>= 7) {
            buf_append_byte(payload, (uint8_t) ((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0)));
            if (rest <= 0x7f) {
                break;
            }
        }
        buf_append_zeros(payload, length);
    }
}

/* Small payloads that become much: packed numbers, and empty entries of a map. */
static void test_too_many(void)
{
    static const struct {
        uint8_t tag;
        size_t length;
        size_t bytes;
        bool good;
    } cases[] = {{0x1a, 100000, 100000, true}, /* numbers */
                 {0x1a, 2000000, 2000000, false},
                 {0x3a, 0, 200000, true}, /* places */
                 {0x3a, 0, 2000000, false}};
    struct buf payload = {0};
    struct error error;
    void *state;
    CHECK_INT_EQ(prepare(DESCRIPTOR, "test.Nested", &state, &error), OUTCOME_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena *arena = arena_new(1 << 16);
        const struct node *root;
        UNIT_CASE("%zu", i);
        fill(&payload, cases[i].tag, cases[i].length, cases[i].bytes);
        const struct decode_input input = {.payload = buf_slice(&payload), .state = state};
        CHECK_INT_EQ(decode_protobuf(&input, arena, &root, &error),
                     cases[i].good ? OUTCOME_OK : OUTCOME_REJECT);
        if (!cases[i].good) {
            CHECK(strstr(error.text, "too many values in one payload") != NULL);
        }
        CHECK(arena_used(arena) < (size_t) 200 << 20);
        arena_free(arena);
    }
    decode_protobuf_release(state);
    buf_fini(&payload);
}

UNIT_MAIN("protobuf", {"cases", test_cases}, {"too many", test_too_many},
          {"settings", test_settings}, {"a set that is cut", test_cut}, {"depth", test_depth})
