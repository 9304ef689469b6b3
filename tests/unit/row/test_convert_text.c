/* SPDX-License-Identifier: MIT */
#include "core/document.h"

#include "convert_case.h"

#define NUL_REASON " holds a NUL character, which PostgreSQL can't store"

static const struct convert_case texts[] = {
    {"text", TEXT("a\tb ä"), "a\tb ä", NULL},
    {"text", TEXT(""), "", NULL},
    {"text", NUMBER("1.50e1"), "1.50e1", NULL},
    {"text", BOOLEAN(false), "false", NULL},
    {"text", TIME(1732332570123456), "2024-11-23T03:29:30.123456Z", NULL},
    {"text", TIME(-1), "1969-12-31T23:59:59.999999Z", NULL},
    {"text", ARRAY("[1,  2]"), "[1,  2]", NULL},
    {"text", OBJECT("{\"a\": 1}"), "{\"a\": 1}", NULL},
    {"text", BYTES("\xc3\xa4"), "ä", NULL},
    {"text", BYTES("\xff"), NULL, "\"\\xff\" is not UTF-8"},
    {"text", BYTES("a\0"), NULL, "\"a\\x00\" holds a NUL character, which PostgreSQL can't store"},
    {"text", TEXT("a\0b"), NULL, "\"a\\x00b\"" NUL_REASON},
    {"varchar(3)", TEXT("äöü"), "äöü", NULL},
    {"varchar(3)", TEXT("ab   "), "ab ", NULL},
    {"varchar(3)", TEXT("äöüß"), NULL, "\"äöüß\" is longer than 3 characters"},
    {"varchar(1)", NUMBER("12"), NULL, "12 is longer than 1 character"},
    {"char(2)", TEXT("abc"), NULL, "\"abc\" is longer than 2 characters"},
    {"varchar", TEXT("abc"), "abc", NULL},
    {"bytea", BYTES("\0\xff"), "\\x00ff", NULL},
    {"bytea", TEXT("ä\0"), "\\xc3a400", NULL},
    {"bytea", NUMBER("5"), NULL, "5 can't become bytea"},
    {"bytea", TIME(5), NULL, "a timestamp can't become bytea"},
    {"mood", TEXT("happy"), "happy", NULL},
    {"mood", NUMBER("5"), "5", NULL},
    {"mood", OBJECT("{}"), "{}", NULL},
    {"mood", TEXT("\0"), NULL, "\"\\x00\"" NUL_REASON},
    {"name", TEXT("123456789012345678901234567890123456789012345678901234567890123"),
     "123456789012345678901234567890123456789012345678901234567890123", NULL},
    {"name", TEXT("1234567890123456789012345678901234567890123456789012345678901234"), NULL,
     "\"1234567890123456789012345678901234567890…\" is longer than 63 bytes"},
};

#define BYTES_REASON(type) "bytes that are not JSON can't become " type

static const struct convert_case jsons[] = {
    {"json", NUMBER("1e400000"), "1e400000", NULL},
    {"jsonb", NUMBER("1e131071"), "1e131071", NULL},
    {"jsonb", NUMBER("1e131072"), NULL, "1e131072 is out of jsonb's range"},
    {"jsonb", NUMBER("1e-16384"), NULL, "1e-16384 is out of jsonb's range"},
    {"jsonb", BOOLEAN(true), "true", NULL},
    {"jsonb", TEXT("a\"\\\b\f\n\r\t\x1f\x7fä"), "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u001f\x7fä\"", NULL},
    {"json", TEXT("\0"), "\"\\u0000\"", NULL},
    {"jsonb", TEXT("\0"), NULL, "\\u0000 is not a character that jsonb can store"},
    {"json", TIME(0), "\"1970-01-01T00:00:00.000000Z\"", NULL},
    {"json", BYTES("{}"), NULL, BYTES_REASON("json")},
    {"jsonb", BYTES("{}"), NULL, BYTES_REASON("jsonb")},
};

static const struct convert_case addresses[] = {
    {"uuid", TEXT("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
     NULL},
    {"uuid", TEXT("{a0eebc999c0b4ef8bb6d6bb9bd380a11}"), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
     NULL},
    {"uuid", TEXT("a0eebc99"), NULL, "\"a0eebc99\" is not a uuid"},
    {"uuid", TEXT("a0eebc999c0b4ef8bb6d6bb9bd380a1g"), NULL,
     "\"a0eebc999c0b4ef8bb6d6bb9bd380a1g\" is not a uuid"},
    {"uuid", TEXT(""), NULL, "\"\" is not a uuid"},
    {"uuid", NUMBER("5"), NULL, "5 can't become uuid"},
    {"inet", TEXT("10.1.2.3/8"), "10.1.2.3/8", NULL},
    {"inet", TEXT("10.1.2.3/32"), "10.1.2.3", NULL},
    {"inet", TEXT("2001:DB8::1"), "2001:db8::1", NULL},
    {"inet", TEXT("::/0"), "::/0", NULL},
    {"inet", TEXT("10.1.2.3/33"), NULL, "\"10.1.2.3/33\" is not a network address"},
    {"inet", TEXT("10.1.2"), NULL, "\"10.1.2\" is not a network address"},
    {"inet", TEXT(""), NULL, "\"\" is not a network address"},
    {"inet", TEXT("/8"), NULL, "\"/8\" is not a network address"},
    {"inet", TEXT("1.2.3.4\0"), NULL, "\"1.2.3.4\\x00\" is not a network address"},
    {"cidr", TEXT("10.0.0.0/8"), "10.0.0.0/8", NULL},
    {"cidr", TEXT("10.0.0.1"), "10.0.0.1/32", NULL},
    {"cidr", TEXT("10.0.0.1/8"), NULL, "\"10.0.0.1/8\" has bits set to the right of its mask"},
};

static void test_texts(void)
{
    CHECK_CASES(texts);
}

static void test_jsons(void)
{
    CHECK_CASES(jsons);
}

static void test_addresses(void)
{
    CHECK_CASES(addresses);
}

/* {"\u0000":1} and ["a\u0000", 1e400000] as a decoder would give them. */
static void test_inside_jsonb(void)
{
    static const struct node key[] = {
        {.kind = VALUE_OBJECT, .span = 2, .count = 1},
        {.kind = VALUE_NUMBER, .span = 1, .key = SLICE_LITERAL("\0"), .text = SLICE_LITERAL("1")},
    };
    static const struct node text[] = {
        {.kind = VALUE_ARRAY, .span = 2, .count = 1},
        {.kind = VALUE_TEXT, .span = 1, .text = SLICE_LITERAL("a\0")},
    };
    static const struct node number[] = {
        {.kind = VALUE_ARRAY, .span = 2, .count = 1},
        {.kind = VALUE_NUMBER, .span = 1, .text = SLICE_LITERAL("1E400000")},
    };
    static const struct {
        const struct node *node;
        const char *reason;
    } cases[] = {
        {key, "column \"c\" (jsonb): \\u0000 is not a character that jsonb can store"},
        {text, "column \"c\" (jsonb): \\u0000 is not a character that jsonb can store"},
        {number, "column \"c\" (jsonb): 1E400000 is out of jsonb's range"},
    };
    struct column_shape binary = column_of_type("jsonb");
    struct column_shape plain = column_of_type("json");
    struct arena *arena = arena_new(4096);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct value value = node_value(cases[i].node);
        struct datum datum;
        struct error error;
        CHECK_INT_EQ(convert_value(&value, &binary, arena, &datum, &error), OUTCOME_REJECT);
        CHECK_TEXT_EQ(error.text, cases[i].reason);
        CHECK_INT_EQ(convert_value(&value, &plain, arena, &datum, &error), OUTCOME_OK);
    }
    arena_free(arena);
    free(binary.type_name);
    free(plain.type_name);
}

static void test_null(void)
{
    struct column_shape column = column_of_type("text");
    struct value value = value_null();
    struct datum datum;
    struct error error;
    CHECK_INT_EQ(convert_value(&value, &column, NULL, &datum, &error), OUTCOME_OK);
    CHECK(datum.null);
    column.not_null = true;
    column.has_default = true;
    CHECK_INT_EQ(convert_value(&value, &column, NULL, &datum, &error), OUTCOME_REJECT);
    CHECK_TEXT_EQ(error.text, "column \"c\" is not null but the value is missing");
    free(column.type_name);
}

/* Without a type a value passes as it is, arrays too. */
static void test_none(void)
{
    static const struct {
        struct value value;
        const char *json;
    } cases[] = {
        {NUMBER("1.50"), "1.50"},
        {TEXT("a\"b"), "\"a\\\"b\""},
        {BOOLEAN(true), "true"},
        {TIME(0), "\"1970-01-01 00:00:00+00\""},
        {ARRAY("[1, 2]"), "[1, 2]"},
        {OBJECT("{}"), "{}"},
        {BYTES("\1\xff"), "\"\\\\x01ff\""},
        {{.kind = VALUE_NULL}, "null"},
    };
    struct column_shape column = {.name = "c", .typmod = -1};
    struct buf json = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct datum datum;
        CHECK_INT_EQ(convert_value(&cases[i].value, &column, NULL, &datum, NULL), OUTCOME_OK);
        buf_reset(&json);
        datum_append_json(&json, &datum, &column);
        CHECK_SLICE_EQ(buf_slice(&json), cases[i].json);
    }
    buf_fini(&json);
}

UNIT_MAIN("convert_text", {"texts", test_texts}, {"json", test_jsons},
          {"addresses", test_addresses}, {"inside jsonb", test_inside_jsonb}, {"null", test_null},
          {"none", test_none})
