/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"
#include "base/memory.h"
#include "row/copy_arrays.h"
#include "unit.h"

enum { INT4_OID = 23 };

/* The array as text: "type[length, length]: bytes, null", for the cases below. */
static char *shown(const struct buf *array)
{
    const char *at = array->data;
    struct buf out = {0};
    uint32_t dimensions = bytes_get_be32(at), count = 0;

    buf_printf(&out, "%u:", bytes_get_be32(at + 8));
    at += 12;
    if (dimensions == 1) {
        count = bytes_get_be32(at);
        CHECK_INT_EQ(bytes_get_be32(at + 4), 1);
        at += 8;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t length = bytes_get_be32(at);
        at += 4;
        if (length == UINT32_MAX) {
            buf_append_text(&out, " null");
            continue;
        }
        buf_printf(&out, " <%.*s>", (int) length, at);
        at += length;
    }
    CHECK(at == array->data + array->length);
    char *text = memory_strdup(buf_string(&out));
    buf_fini(&out);
    return text;
}

static void check_arrays(enum copy_format format, struct slice rows, size_t row_count,
                         const char *const *expected)
{
    const uint32_t elements[] = {format == COPY_BINARY ? INT4_OID : TEXT_OID, TEXT_OID};
    struct buf arrays[2] = {{0}};

    copy_arrays_append(arrays, elements, 2, &(struct copy_rows){format, rows, row_count});
    for (size_t i = 0; i < 2; i++) {
        char *text = shown(&arrays[i]);
        CHECK_TEXT_EQ(text, expected[i]);
        free(text);
        buf_fini(&arrays[i]);
    }
}

static void test_text(void)
{
    static const struct {
        const char *rows;
        size_t count;
        const char *expected[2];
    } cases[] = {
        {"", 0, {"25:", "25:"}},
        {"a\tb\n", 1, {"25: <a>", "25: <b>"}},
        {"\t\n", 1, {"25: <>", "25: <>"}},
        {"\\N\t\\\\N\n", 1, {"25: null", "25: <\\N>"}},
        {"a\\tb\tc\\nd\\re\\\\\n\\\\\tx\n", 2, {"25: <a\tb> <\\>", "25: <c\nd\re\\> <x>"}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%s", cases[i].rows);
        check_arrays(COPY_TEXT, slice_of(cases[i].rows), cases[i].count, cases[i].expected);
    }
}

static void test_binary(void)
{
    static const char rows[] = "\0\2\0\0\0\1a\0\0\0\2bc"
                               "\0\2\377\377\377\377\0\0\0\0";
    static const char *const expected[] = {"23: <a> null", "25: <bc> <>"};

    check_arrays(COPY_BINARY, slice_make(rows, sizeof(rows) - 1), 2, expected);
}

static void test_element(void)
{
    static const struct {
        struct column_shape column;
        enum copy_format format;
        uint32_t element;
    } cases[] = {
        {{.type_oid = INT4_OID}, COPY_BINARY, INT4_OID},
        {{.type_oid = INT4_OID}, COPY_TEXT, TEXT_OID},
        {{.type_oid = 0}, COPY_BINARY, TEXT_OID}, /* an extension's type, declared by a rule */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_INT_EQ(copy_array_element(&cases[i].column, cases[i].format), cases[i].element);
    }
}

UNIT_MAIN("copy_arrays", {"text", test_text}, {"binary", test_binary}, {"element", test_element})
