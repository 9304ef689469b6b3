/* SPDX-License-Identifier: MIT */
#include "map/expression.h"

#include "../data/cases.h"
#include "base/file.h"
#include "fixture.h"
#include "map/facts.h"
#include "map/filters.h"
#include "unit.h"

static void write_result(struct fixture *fixture, struct slice text, struct buf *out)
{
    struct expression *expression = NULL;
    struct value value;
    if (expression_compile(text, &fixture->scope, &expression, &fixture->error) != OUTCOME_OK) {
        CHECK_INT_EQ(fixture->error.outcome, OUTCOME_REJECT);
        buf_printf(out, "error: %s", fixture->error.text);
    } else if (expression_evaluate(expression, &fixture->subject, fixture->arena, &value,
                                   &fixture->error) != OUTCOME_OK) {
        CHECK_INT_EQ(fixture->error.outcome, OUTCOME_REJECT);
        buf_printf(out, "rejected: %s", fixture->error.text);
    } else {
        write_value(out, &value);
    }
    expression_free(expression);
}

static void run_expression_case(const struct test_case *test)
{
    struct fixture fixture;
    struct buf seen = {0};
    CHECK_INT_EQ(test->count, 3);
    bool none = slice_is(test->fields[1], "-");
    fixture_init(&fixture, none ? slice_of("null") : test->fields[1]);
    write_result(&fixture, test->fields[0], &seen);
    while (seen.length > 0 && seen.data[seen.length - 1] == ' ') {
        seen.length--; /* "text " of an empty text: the file's fields are trimmed */
    }
    unit_check_slice(buf_slice(&seen), test->fields[2], __FILE__, __LINE__, "what was seen");
    buf_fini(&seen);
    fixture_fini(&fixture);
}

static void test_cases(void)
{
    cases_run("expression.cases", run_expression_case);
}

static void check_result(struct fixture *fixture, const char *text, const char *expected)
{
    struct buf seen = {0};
    UNIT_CASE("%s", text);
    write_result(fixture, slice_of(text), &seen);
    CHECK_SLICE_EQ(buf_slice(&seen), expected);
    buf_fini(&seen);
}

static void test_in_ack(void)
{
    struct fixture fixture;
    fixture_init(&fixture, slice_of("{\"id\":7}"));
    fixture.scope.in_ack = true;
    check_result(&fixture, "@status", "null"); /* not known yet */
    fixture.ack = (struct ack_facts){
        .stored = true,
        .rows = 12345678901,
        .stored_at_us = INT64_C(1000000) * RECEIVED_AT_S,
    };
    fixture.subject.ack = &fixture.ack;
    check_result(&fixture, "@status", "text stored");
    check_result(&fixture, "@rows", "number 12345678901");
    check_result(&fixture, "@stored_at", "timestamp 2026-11-23T03:29:30.000000Z");
    check_result(&fixture, "@reason", "null");
    check_result(&fixture, "@sqlstate", "null");
    check_result(&fixture, "$.id", "number 7");
    fixture.ack = (struct ack_facts){.reason = "no such column", .sqlstate = "42703"};
    check_result(&fixture, "@status", "text rejected");
    check_result(&fixture, "@reason", "text no such column");
    check_result(&fixture, "@sqlstate", "text 42703");
    check_result(&fixture, "@rows", "number 0");
    check_result(&fixture, "@stored_at", "null");
    fixture_fini(&fixture);
}

static void test_in_rows(void)
{
    struct fixture fixture;
    fixture_init(&fixture, slice_of("{\"a\":[{\"v\":1},{\"v\":2}],\"v\":3}"));
    fixture.scope.row_levels = 1;
    fixture.subject.here = node_element(node_member(fixture.subject.payload, slice_of("a")), 1);
    fixture.subject.key = value_number(slice_of("1"));
    check_result(&fixture, "@key", "number 1");
    check_result(&fixture, "$", "object {\"v\":2}");
    check_result(&fixture, "$.v", "number 2");
    check_result(&fixture, "$$.v", "number 3");
    check_result(&fixture, "$$.a[0].v", "number 1");
    fixture.subject.payload = NULL; /* as when no expression needs it */
    fixture.subject.here = NULL;
    check_result(&fixture, "$", "null");
    check_result(&fixture, "$$.v", "null");
    fixture_fini(&fixture);
}

static void test_absent_facts(void)
{
    static const char *const absent[] = {
        "@content_type",  "@response_topic", "@correlation_data", "@message_expiry",
        "@property.site", "@rule",           "@client_id",
    };
    struct fixture fixture;
    fixture_init(&fixture, slice_of("1"));
    fixture.message.properties = (struct slice){0};
    fixture.subject.rule = NULL;
    fixture.subject.client_id = NULL;
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        check_result(&fixture, absent[i], "null");
    }
    fixture_fini(&fixture);
}

/* What comes from outside may be any bytes; a TEXT is UTF-8 all the same. */
static void test_malformed_text(void)
{
    static const struct slice captures[] = {SLICE_LITERAL("\xff"), SLICE_LITERAL("ok"), {NULL, 0}};
    struct fixture fixture;
    fixture_init(&fixture, slice_of("1"));
    fixture.subject.captures = captures;
    fixture.message.topic = slice_of("a/\xff");
    fixture_property(&fixture, PROPERTY_USER, "bad", "\xe2\x82", 0);
    fixture.message.properties = buf_slice(&fixture.properties);
    check_result(&fixture, "{device}", "rejected: capture device is not UTF-8");
    check_result(&fixture, "{rest}", "text ok");
    check_result(&fixture, "@topic", "rejected: @topic is not UTF-8");
    check_result(&fixture, "@property.bad", "rejected: @property is not UTF-8");
    check_result(&fixture, "@property.site", "text north");
    fixture_fini(&fixture);
}

static void check_types(const char *text, const char *declared, const char *inferred, bool payload)
{
    struct scope scope = {.captures = fixture_captures, .capture_count = 3, .in_ack = true};
    struct expression *expression = NULL;
    struct error error;
    scope.row_levels = 1;
    UNIT_CASE("%s", text);
    if (CHECK_INT_EQ(expression_compile(slice_of(text), &scope, &expression, &error), OUTCOME_OK)) {
        CHECK_TEXT_EQ(expression_declared_type(expression), declared);
        CHECK_TEXT_EQ(expression_inferred_type(expression), inferred);
        CHECK_INT_EQ(expression_uses_payload(expression), payload);
    }
    expression_free(expression);
}

static void test_types(void)
{
    check_types("$.a", NULL, "text", true);
    check_types("$", NULL, "jsonb", true);
    check_types("$$", NULL, "jsonb", true);
    check_types("$$.a", NULL, "text", true);
    check_types("$.a::int", "int", "text", true);
    check_types("$.a ::  numeric(10, 2)  ", "numeric(10, 2)", "text", true);
    check_types("$.a | unix_ms", NULL, "timestamptz", true);
    check_types("$.a | unix_ns | default null", NULL, "timestamptz", true);
    check_types("$.a | scale 2", NULL, "numeric", true);
    check_types("$.a | round 0", NULL, "numeric", true);
    check_types("$.a | default 5", NULL, "text", true);
    check_types("$.a | trim | hex", NULL, "bytea", true);
    check_types("$.a | base64", NULL, "bytea", true);
    check_types("$.a | json", NULL, "jsonb", true);
    check_types("$ | lower", NULL, "text", true);
    check_types("{device}", NULL, "text", false);
    check_types("{device} | scale 1", NULL, "numeric", false);
    check_types("@topic", NULL, "text", false);
    check_types("@payload", NULL, "bytea", false);
    check_types("@payload | json", NULL, "jsonb", false);
    check_types("@received_at", NULL, "timestamptz", false);
    check_types("@qos", NULL, "smallint", false);
    check_types("@retain", NULL, "boolean", false);
    check_types("@duplicate", NULL, "boolean", false);
    check_types("@message_expiry", NULL, "bigint", false);
    check_types("@rows", NULL, "bigint", false);
    check_types("@stored_at", NULL, "timestamptz", false);
    check_types("@key", NULL, "text", false);
    check_types("'x'", NULL, "text", false);
    check_types("5", NULL, "numeric", false);
    check_types("true", NULL, "boolean", false);
    check_types("null::int", "int", "text", false);
    check_types("'00' | hex", NULL, "bytea", false);
}

static void test_constants(void)
{
    struct scope scope = {0};
    struct expression *expression;
    struct error error;
    struct value value;
    CHECK_INT_EQ(expression_compile(slice_of("null"), &scope, &expression, &error), OUTCOME_OK);
    CHECK(expression_is_constant(expression, &value));
    CHECK_INT_EQ(value.kind, VALUE_NULL);
    expression_free(expression);
    CHECK_INT_EQ(expression_compile(slice_of("' A' | trim | lower"), &scope, &expression, &error),
                 OUTCOME_OK);
    CHECK(expression_is_constant(expression, &value));
    CHECK_SLICE_EQ(value.text, "a");
    CHECK(expression_is_constant(expression, NULL));
    expression_free(expression);
    CHECK_INT_EQ(expression_compile(slice_of("$.a | default 1"), &scope, &expression, &error),
                 OUTCOME_OK);
    CHECK(!expression_is_constant(expression, &value));
    expression_free(expression);
    expression_free(NULL);
}

/* The compiled expression holds no byte of the text that it came from. */
static void test_own_copy(void)
{
    char text[] = "$['a'] | default 'b' :: int";
    struct fixture fixture;
    struct expression *expression;
    struct value value;
    fixture_init(&fixture, slice_of("{}"));
    CHECK_INT_EQ(expression_compile(slice_of(text), &fixture.scope, &expression, &fixture.error),
                 OUTCOME_OK);
    memset(text, 'x', sizeof(text) - 1);
    CHECK_INT_EQ(
        expression_evaluate(expression, &fixture.subject, fixture.arena, &value, &fixture.error),
        OUTCOME_OK);
    CHECK_SLICE_EQ(value.text, "b");
    CHECK_TEXT_EQ(expression_declared_type(expression), "int");
    expression_free(expression);
    fixture_fini(&fixture);
}

static void test_tables(void)
{
    for (size_t i = 0; i < filter_count; i++) {
        UNIT_CASE("%s", filters[i].name);
        CHECK(filter_find(slice_of(filters[i].name)) == &filters[i]);
        CHECK(filters[i].help[0] != '\0');
    }
    for (size_t i = 0; i < fact_count; i++) {
        UNIT_CASE("%s", facts[i].name);
        CHECK(fact_find(slice_of(facts[i].name)) == &facts[i]);
        CHECK(facts[i].help[0] != '\0');
    }
    CHECK(filter_find(slice_of("")) == NULL);
    CHECK(fact_find(slice_of("")) == NULL);
}

/* The manual page names every filter. */
static void test_manual(void)
{
    static const char *const pages[] = {"config/man/mqtt2pg.cfg.5"};
    struct buf page = {0};
    struct error error;
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        CHECK_INT_EQ(file_load(pages[i], 1 << 20, &page, &error), OUTCOME_OK);
    }
    for (size_t i = 0; i < filter_count; i++) {
        UNIT_CASE("%s", filters[i].name);
        CHECK(strstr(buf_string(&page), filters[i].name) != NULL);
    }
    buf_fini(&page);
}

/* Every beginning of an expression compiles or tells why, and frees what it took. */
static void test_cut_off(void)
{
    static const char whole[] = "$.a['b\\u00e9'][-1] | default 'it''s' | scale 1e3 :: numeric(5,2)";
    struct scope scope = {0};
    for (size_t length = 0; length < sizeof(whole); length++) {
        struct expression *expression = NULL;
        struct error error = {0};
        char *cut = malloc(length > 0 ? length : 1);
        memcpy(cut, whole, length);
        UNIT_CASE("%zu characters", length);
        if (expression_compile(slice_make(cut, length), &scope, &expression, &error) !=
            OUTCOME_OK) {
            CHECK(error.text[0] != '\0' && expression == NULL);
        }
        expression_free(expression);
        free(cut);
    }
}

UNIT_MAIN("expression", {"cases", test_cases}, {"in ack", test_in_ack}, {"in rows", test_in_rows},
          {"absent facts", test_absent_facts}, {"malformed text", test_malformed_text},
          {"types", test_types}, {"constants", test_constants}, {"own copy", test_own_copy},
          {"tables", test_tables}, {"manual", test_manual}, {"cut off", test_cut_off})
