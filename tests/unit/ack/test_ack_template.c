/* SPDX-License-Identifier: MIT */
#include "ack/ack_template.h"

#include "core/property.h"
#include "unit.h"

enum { FIELDS_MAX = 4 };

static const char *const captures[] = {"device", "rest"};
static const struct scope scope = {.captures = captures, .capture_count = 2};

/* One acknowledgment, and what it must become. */
static const struct {
    const char *topic;
    const char *fields[FIELDS_MAX]; /* "name=expression" */
    bool stored;
    const char *expected_topic; /* NULL: nothing is sent */
    const char *expected_payload;
} cases[] = {
    {"devices/{device}/ack",
     {NULL},
     true,
     "devices/d1/ack",
     "{\"status\":\"stored\",\"reason\":null}"},
    {"devices/{device}/ack",
     {NULL},
     false,
     "devices/d1/ack",
     "{\"status\":\"rejected\",\"reason\":\"no \\\"good\\\"\"}"},
    {"{device}",
     {"r=@rows", "s=@sqlstate"},
     false,
     "d1",
     "{\"r\":18446744073709551615,\"s\":\"22P02\"}"},
    {"a/{device}{device}/b",
     {"at=@stored_at"},
     true,
     "a/d1d1/b",
     "{\"at\":\"2026-11-23T03:29:30.123456Z\"}"},
    {"x",
     {"n=12345678901234567890.000000000001", "t='a\"b'", "b=true", "z=null"},
     true,
     "x",
     "{\"n\":12345678901234567890.000000000001,\"t\":\"a\\\"b\",\"b\":true,\"z\":null}"},
    {"x",
     {"a=$.list", "o=$.object", "n=$.number"},
     true,
     "x",
     "{\"a\":[1, 2.50],\"o\":{ \"k\" : 1e3 },\"n\":9007199254740993}"},
    {"x", {"bad=@topic | unix_ms", "q=@qos"}, true, "x", "{\"bad\":null,\"q\":1}"},
    {"x",
     {"odd \"name\"=@rule", "d={device}"},
     true,
     "x",
     "{\"odd \\\"name\\\"\":\"telemetry\",\"d\":\"d1\"}"},
    {"x", {"p=@payload"}, true, "x", "{\"p\":\"a\\u0000b\"}"},
    {"x", {"c=@correlation_data"}, true, "x", "{\"c\":\"ff00\"}"},
    {"@response_topic", {"q=@qos"}, true, "answers/7", "{\"q\":1}"},
    {"a/{rest}", {NULL}, true, NULL, NULL}, /* the capture is null */
};

/* {"list":[1, 2.50],"object":{ "k" : 1e3 },"number":9007199254740993} */
static const struct node document[] = {
    {.kind = VALUE_OBJECT, .span = 7, .count = 3, .text = SLICE_LITERAL("{…}")},
    {.kind = VALUE_ARRAY,
     .span = 3,
     .count = 2,
     .key = SLICE_LITERAL("list"),
     .text = SLICE_LITERAL("[1, 2.50]")},
    {.kind = VALUE_NUMBER, .span = 1, .text = SLICE_LITERAL("1")},
    {.kind = VALUE_NUMBER, .span = 1, .text = SLICE_LITERAL("2.50")},
    {.kind = VALUE_OBJECT,
     .span = 2,
     .count = 1,
     .key = SLICE_LITERAL("object"),
     .text = SLICE_LITERAL("{ \"k\" : 1e3 }")},
    {.kind = VALUE_NUMBER, .span = 1, .key = SLICE_LITERAL("k"), .text = SLICE_LITERAL("1e3")},
    {.kind = VALUE_NUMBER,
     .span = 1,
     .key = SLICE_LITERAL("number"),
     .text = SLICE_LITERAL("9007199254740993")},
};

struct made {
    struct problems problems;
    struct ack_template *ack;
};

static struct made compile(const char *topic, const char *const *fields)
{
    struct option_column columns[FIELDS_MAX];
    char texts[FIELDS_MAX][100];
    struct ack_options options = {.wanted = true,
                                  .place = {"f", 1},
                                  .topic = {topic, {"f", 2}},
                                  .on_stored = true,
                                  .on_rejected = true,
                                  .qos = 1,
                                  .retain = true,
                                  .fields = columns};
    for (int i = 0; i < FIELDS_MAX && fields[i] != NULL; i++) {
        snprintf(texts[i], sizeof(texts[i]), "%s", fields[i]);
        char *equals = strchr(texts[i], '=');
        *equals = '\0';
        columns[i] = (struct option_column){texts[i], equals + 1, {"f", 10 + i}};
        options.field_count++;
    }
    struct made made = {{0}, NULL};
    made.ack = ack_template_compile(&options, "telemetry", &scope, &made.problems);
    return made;
}

static struct message make_message(struct buf *properties, bool with_response)
{
    if (with_response) {
        property_append(properties, &(struct property_item){.id = PROPERTY_RESPONSE_TOPIC,
                                                            .value = slice_of("answers/7")});
    }
    property_append(properties, &(struct property_item){.id = PROPERTY_CORRELATION_DATA,
                                                        .value = slice_make("\xff\0", 2)});
    return (struct message){.kind = MESSAGE_PUBLISH,
                            .qos = 1,
                            .topic = slice_of("devices/d1"),
                            .payload = slice_make("a\0b", 3),
                            .properties = buf_slice(properties)};
}

static void append(const struct ack_template *ack, const struct message *message, bool stored,
                   struct ack_batch *batch)
{
    static const struct slice values[] = {SLICE_LITERAL("d1"), {NULL, 0}};
    struct ack_facts facts = {.stored = stored,
                              .reason = stored ? NULL : "no \"good\"",
                              .sqlstate = stored ? NULL : "22P02",
                              .rows = UINT64_MAX,
                              .stored_at_us = 1795404570123456};
    struct subject subject = {.message = message,
                              .captures = values,
                              .rule = "telemetry",
                              .client_id = "c",
                              .payload = document,
                              .here = document,
                              .ack = &facts};
    struct arena *arena = arena_new(4096);
    ack_template_append(ack, &subject, arena, batch);
    arena_free(arena);
}

static void test_cases(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%zu: %s", i, cases[i].topic);
        struct made made = compile(cases[i].topic, cases[i].fields);
        struct ack_batch batch = {0};
        struct buf properties = {0};
        CHECK(made.ack != NULL);
        if (made.ack != NULL) {
            struct message message = make_message(&properties, true);
            append(made.ack, &message, cases[i].stored, &batch);
            CHECK_INT_EQ(batch.count, cases[i].expected_topic != NULL);
            struct slice bytes = buf_slice(&batch.bytes);
            struct ack ack;
            if (ack_batch_next(&bytes, &ack)) {
                CHECK_SLICE_EQ(ack.topic, cases[i].expected_topic);
                CHECK_SLICE_EQ(ack.payload, cases[i].expected_payload);
                CHECK_SLICE_EQ(ack.rule, "telemetry");
                CHECK(ack.qos == 1 && ack.retain && ack.stored == cases[i].stored);
                CHECK_INT_EQ(ack.correlation_data.length, cases[i].topic[0] == '@' ? 2 : 0);
            }
            CHECK(!ack_batch_next(&bytes, &ack));
        }
        ack_template_free(made.ack);
        problems_fini(&made.problems);
        ack_batch_fini(&batch);
        buf_fini(&properties);
    }
}

/* The rows become known when the message is gone. */
static void test_rows_later(void)
{
    static const char *const fields[FIELDS_MAX] = {"a=@payload", "n=@rows", "s='x\x01'",
                                                   "some=@rows | map 0 'none' else 'some'"};
    static const struct ack_facts facts = {.stored = true, .rows = 7, .rows_later = true};
    struct made made = compile("x", fields);
    struct buf properties = {0}, filled = {0};
    struct message message = make_message(&properties, false);
    struct subject subject = {.message = &message, .ack = &facts};
    struct arena *arena = arena_new(4096);
    struct ack_batch batch = {0};
    struct ack ack = {0};

    CHECK(ack_template_uses_rows(made.ack));
    ack_template_append(made.ack, &subject, arena, &batch);
    CHECK(ack_batch_next(&(struct slice){batch.bytes.data, batch.bytes.length}, &ack));
    arena_reset(arena);
    ack_template_fill(made.ack, ack.payload, 0, arena, &filled);
    CHECK_TEXT_EQ(buf_string(&filled),
                  "{\"a\":\"a\\u0000b\",\"n\":0,\"s\":\"x\\u0001\",\"some\":\"none\"}");
    arena_free(arena);
    ack_template_free(made.ack);
    ack_batch_fini(&batch);
    buf_fini(&properties);
    buf_fini(&filled);
}

static void test_no_response_topic(void)
{
    static const char *const none[FIELDS_MAX] = {NULL};
    struct made made = compile("@response_topic", none);
    struct ack_batch batch = {0};
    struct buf properties = {0};
    struct message message = make_message(&properties, false);
    append(made.ack, &message, true, &batch);
    CHECK_INT_EQ(batch.count, 0);
    buf_reset(&properties); /* and one that nothing can be published to */
    property_append(&properties, &(struct property_item){.id = PROPERTY_RESPONSE_TOPIC,
                                                         .value = slice_of("answers/#")});
    message.properties = buf_slice(&properties);
    append(made.ack, &message, true, &batch);
    CHECK_INT_EQ(batch.count, 0);
    ack_template_free(made.ack);
    ack_batch_fini(&batch);
    buf_fini(&properties);
}

static void test_mistakes(void)
{
    static const struct {
        const char *topic;
        const char *fields[FIELDS_MAX];
        const char *problem;
    } mistakes[] = {
        {"a/{devise}",
         {NULL},
         "f:2: ack.topic: the rule's topic has no {devise} (did you mean {device}?)"},
        {"a/{device", {NULL}, "f:2: ack.topic: \"{\" without \"}\""},
        {"a/+", {NULL}, "f:2: ack.topic: nothing can be published to it"},
        {"a/#", {NULL}, "f:2: ack.topic: nothing can be published to it"},
        {"a\xff", {NULL}, "f:2: ack.topic: nothing can be published to it"},
        {"@topic", {NULL}, "f:2: ack.topic: \"@topic\" is not known"},
        {"", {NULL}, "f:2: ack: topic is missing"},
        {NULL, {NULL}, "f:1: ack: topic is missing"},
        {"a", {"x=@nothing"}, "f:10: ack.fields.x: "},
        {"a", {"n=@qos", "x=$.n | default @rows"}, "f:11: ack.fields.x: @rows stands alone"},
        {"a", {"x=@rows | default $.n"}, "f:10: ack.fields.x: @rows stands alone"},
    };
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        UNIT_CASE("%s", mistakes[i].problem);
        struct made made = compile(mistakes[i].topic, mistakes[i].fields);
        CHECK(made.ack == NULL);
        CHECK_INT_EQ(made.problems.count, 1);
        if (made.problems.count > 0) {
            size_t length = strlen(mistakes[i].problem);
            made.problems.list[0].text[strnlen(made.problems.list[0].text, length)] = '\0';
            CHECK_TEXT_EQ(made.problems.list[0].text, mistakes[i].problem);
        }
        problems_fini(&made.problems);
    }
}

static void test_batch_makes_sense(void)
{
    struct ack_batch batch = {0};
    struct ack ack = {.rule = slice_of("r"),
                      .topic = slice_of("t"),
                      .payload = slice_of("{}"),
                      .qos = 2,
                      .stored = true,
                      .correlation_data = slice_of("c")};
    ack_batch_append(&batch, &ack);
    ack_batch_append(&batch, &ack);
    CHECK_INT_EQ(batch.count, 2);
    for (size_t length = 0; length <= batch.bytes.length; length++) {
        struct slice bytes = slice_make(batch.bytes.data, length);
        unsigned count = 0;
        while (ack_batch_next(&bytes, &ack)) {
            count++;
        }
        CHECK_INT_EQ(count, length * 2 / batch.bytes.length);
    }
    batch.bytes.data[1] = 3; /* no qos */
    struct slice bytes = buf_slice(&batch.bytes);
    CHECK(!ack_batch_next(&bytes, &ack));
    ack_batch_fini(&batch);
}

UNIT_MAIN("ack_template", {"cases", test_cases}, {"rows_later", test_rows_later},
          {"no response topic", test_no_response_topic}, {"mistakes", test_mistakes},
          {"batch", test_batch_makes_sense})
