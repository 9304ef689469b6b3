/* SPDX-License-Identifier: MIT */
#include "row/copy_format.h"

#include "convert_case.h"
#include "core/document.h"

static void append(struct buf *out, enum copy_format format, const char *type,
                   const struct value *value)
{
    struct column_shape column = column_of_type(type);
    const struct column_shape *columns[] = {&column};
    struct arena *arena = arena_new(1000);
    struct datum datum;
    CHECK_INT_EQ(convert_value(value, &column, arena, &datum, NULL), OUTCOME_OK);
    copy_append_row(out, format, &datum, columns, 1);
    arena_free(arena);
    free(column.type_name);
}

static const struct {
    const char *type;
    struct value value;
    struct slice binary; /* the field with its length */
    const char *text;    /* without the line feed */
} fields[] = {
    {"bool", BOOLEAN(true), SLICE_LITERAL("\0\0\0\1\1"), "t"},
    {"int2", NUMBER("-2"), SLICE_LITERAL("\0\0\0\2\xff\xfe"), "-2"},
    {"int4", NUMBER("258"), SLICE_LITERAL("\0\0\0\4\0\0\1\2"), "258"},
    {"int8", NUMBER("-1"), SLICE_LITERAL("\0\0\0\x08\xff\xff\xff\xff\xff\xff\xff\xff"), "-1"},
    {"float4", NUMBER("1.5"), SLICE_LITERAL("\0\0\0\4\x3f\xc0\0\0"), "1.5"},
    {"float8", NUMBER("-0"), SLICE_LITERAL("\0\0\0\x08\x80\0\0\0\0\0\0\0"), "-0"},
    {"numeric", NUMBER("1.5"), SLICE_LITERAL("\0\0\0\x0c\0\2\0\0\0\0\0\1\0\1\x13\x88"), "1.5"},
    {"text", TEXT("a\t\\\n\r\x0b"), SLICE_LITERAL("\0\0\0\6a\t\\\n\r\x0b"), "a\\t\\\\\\n\\r\x0b"},
    {"text", TEXT(""), SLICE_LITERAL("\0\0\0\0"), ""},
    {"text", TEXT("\\N"), SLICE_LITERAL("\0\0\0\2\\N"), "\\\\N"},
    {"text", {.kind = VALUE_NULL}, SLICE_LITERAL("\xff\xff\xff\xff"), "\\N"},
    {"bytea", BYTES("\0\t"), SLICE_LITERAL("\0\0\0\2\0\t"), "\\\\x0009"},
    {"json", TEXT("a"), SLICE_LITERAL("\0\0\0\3\"a\""), "\"a\""},
    {"jsonb", TEXT("a\n"), SLICE_LITERAL("\0\0\0\6\1\"a\\n\""), "\"a\\\\n\""},
    {"uuid", TEXT("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
     SLICE_LITERAL("\0\0\0\x10\xa0\xee\xbc\x99\x9c\x0b\x4e\xf8\xbb\x6d\x6b\xb9\xbd\x38\x0a\x11"),
     "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
    {"date", TEXT("1999-12-31"), SLICE_LITERAL("\0\0\0\4\xff\xff\xff\xff"), "1999-12-31"},
    {"date", TEXT("infinity"), SLICE_LITERAL("\0\0\0\4\x7f\xff\xff\xff"), "infinity"},
    {"time", TEXT("00:00:00.000001"), SLICE_LITERAL("\0\0\0\x08\0\0\0\0\0\0\0\1"),
     "00:00:00.000001"},
    {"timestamptz", TEXT("-infinity"), SLICE_LITERAL("\0\0\0\x08\x80\0\0\0\0\0\0\0"), "-infinity"},
    {"timestamp", TIME(INT64_C(946684800000000) + 258), SLICE_LITERAL("\0\0\0\x08\0\0\0\0\0\0\1\2"),
     "2000-01-01 00:00:00.000258"},
    {"interval", TEXT("2 mons 1 day 00:00:00.000003"),
     SLICE_LITERAL("\0\0\0\x10\0\0\0\0\0\0\0\3\0\0\0\1\0\0\0\2"), "2 mons 1 day 00:00:00.000003"},
    {"inet", TEXT("1.2.3.4/8"), SLICE_LITERAL("\0\0\0\x08\2\x08\0\4\1\2\3\4"), "1.2.3.4/8"},
    {"cidr", TEXT("1.0.0.0/8"), SLICE_LITERAL("\0\0\0\x08\2\x08\1\4\1\0\0\0"), "1.0.0.0/8"},
};

static void test_fields(void)
{
    struct buf out = {0};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        UNIT_CASE("%s %s", fields[i].type, fields[i].text);
        buf_reset(&out);
        append(&out, COPY_BINARY, fields[i].type, &fields[i].value);
        CHECK(out.length > 2 && memcmp(out.data, "\0\1", 2) == 0);
        CHECK(slice_equal(slice_make(out.data + 2, out.length - 2), fields[i].binary));
        buf_reset(&out);
        append(&out, COPY_TEXT, fields[i].type, &fields[i].value);
        CHECK(out.length > 0 && out.data[--out.length] == '\n');
        CHECK_SLICE_EQ(buf_slice(&out), fields[i].text);
    }
    buf_fini(&out);
}

static void test_array(void)
{
    static const struct node nodes[] = {
        {.kind = VALUE_ARRAY, .span = 5, .count = 2},
        {.kind = VALUE_ARRAY, .span = 2, .count = 1},
        {.kind = VALUE_NUMBER, .span = 1, .text = SLICE_LITERAL("5")},
        {.kind = VALUE_ARRAY, .span = 2, .count = 1},
        {.kind = VALUE_NULL, .span = 1},
    };
    static const struct slice expected = SLICE_LITERAL("\0\1"
                                                       "\0\0\0\x26"
                                                       "\0\0\0\2"
                                                       "\0\0\0\1"
                                                       "\0\0\0\x15"
                                                       "\0\0\0\2\0\0\0\1"
                                                       "\0\0\0\1\0\0\0\1"
                                                       "\0\0\0\2\0\5"
                                                       "\xff\xff\xff\xff");
    struct buf out = {0};
    struct value value = node_value(nodes);
    append(&out, COPY_BINARY, "int2[]", &value);
    CHECK(slice_equal(buf_slice(&out), expected));
    buf_fini(&out);
}

static void test_frame(void)
{
    struct buf out = {0};
    copy_append_header(&out, COPY_BINARY);
    CHECK(slice_equal(buf_slice(&out), slice_make("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19)));
    buf_reset(&out);
    copy_append_trailer(&out, COPY_BINARY);
    CHECK(slice_equal(buf_slice(&out), slice_make("\xff\xff", 2)));
    buf_reset(&out);
    copy_append_header(&out, COPY_TEXT);
    copy_append_trailer(&out, COPY_TEXT);
    CHECK_INT_EQ(out.length, 0);
    buf_fini(&out);
}

static void test_several_columns(void)
{
    struct column_shape number = column_of_type("int4");
    struct column_shape text = column_of_type("text");
    const struct column_shape *columns[] = {&number, &text, &number};
    struct datum datums[] = {
        {.family = TYPE_INT4, .integer = 7},
        {.family = TYPE_TEXT, .text = SLICE_LITERAL("a\tb")},
        {.family = TYPE_INT4, .null = true},
    };
    struct buf out = {0};
    copy_append_row(&out, COPY_TEXT, datums, columns, 3);
    copy_append_row(&out, COPY_TEXT, datums + 1, columns + 1, 1);
    CHECK_SLICE_EQ(buf_slice(&out), "7\ta\\tb\t\\N\na\\tb\n");
    buf_reset(&out);
    copy_append_row(&out, COPY_BINARY, datums, columns, 3);
    CHECK(slice_equal(buf_slice(&out),
                      slice_make("\0\3\0\0\0\4\0\0\0\7\0\0\0\3a\tb\xff\xff\xff\xff", 21)));
    buf_fini(&out);
    free(number.type_name);
    free(text.type_name);
}

UNIT_MAIN("copy_format", {"fields", test_fields}, {"array", test_array}, {"frame", test_frame},
          {"several columns", test_several_columns})
