/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include "base/bytes.h"
#include "unit.h"

static void test_empty(void)
{
    struct buf buf = {0};
    CHECK_SLICE_EQ(buf_slice(&buf), "");
    CHECK_TEXT_EQ(buf_string(&buf), "");
    CHECK_INT_EQ(buf.length, 0);
    buf_append(&buf, NULL, 0);
    buf_append_slice(&buf, (struct slice){NULL, 0});
    CHECK_INT_EQ(buf.length, 0);
    buf_fini(&buf);
    buf_fini(&buf);
}

/* Every length around the points at which the memory grows. */
static void test_growth(void)
{
    struct buf buf = {0};
    for (int i = 0; i < 70000; i++) {
        buf_append_byte(&buf, (uint8_t) (i * 7));
    }
    CHECK_INT_EQ(buf.length, 70000);
    int wrong = 0;
    for (int i = 0; i < 70000; i++) {
        wrong += (uint8_t) buf.data[i] != (uint8_t) (i * 7);
    }
    CHECK_INT_EQ(wrong, 0);
    CHECK(buf.capacity >= buf.length && buf.capacity < 4 * buf.length);
    buf_fini(&buf);
    CHECK(buf.data == NULL && buf.length == 0 && buf.capacity == 0);
}

static void test_reserve_does_not_move_the_end(void)
{
    struct buf buf = {0};
    buf_append_text(&buf, "ab");
    memcpy(buf_reserve(&buf, 1000), "cd", 2);
    CHECK_SLICE_EQ(buf_slice(&buf), "ab");
    buf.length += 2;
    CHECK_SLICE_EQ(buf_slice(&buf), "abcd");
    buf_fini(&buf);
}

static void test_reset_keeps_the_memory(void)
{
    struct buf buf = {0};
    buf_append_zeros(&buf, 500);
    size_t capacity = buf.capacity;
    buf_reset(&buf);
    CHECK_INT_EQ(buf.length, 0);
    CHECK_INT_EQ(buf.capacity, capacity);
    buf_fini(&buf);
}

static void test_hex(void)
{
    struct buf buf = {0};
    buf_append_text(&buf, "\\x");
    buf_append_hex(&buf, (struct slice){0});
    buf_append_hex(&buf, slice_make("\0\x0f\xa5\xff", 4));
    CHECK_SLICE_EQ(buf_slice(&buf), "\\x000fa5ff");
    buf_fini(&buf);
}

static void test_byte_order(void)
{
    static const unsigned char expected[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
                                             0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x00, 0x00};
    struct buf buf = {0};
    buf_append_be16(&buf, 0x0102);
    buf_append_be32(&buf, 0xffffffff);
    buf_append_be64(&buf, UINT64_C(0x0708090a0b0c0d0e));
    buf_append_zeros(&buf, 2);
    buf_put_be32(&buf, 2, 0x03040506);
    CHECK(slice_equal(buf_slice(&buf), slice_make((const char *) expected, sizeof(expected))));
    CHECK_INT_EQ(bytes_get_be16(buf.data), 0x0102);
    CHECK_INT_EQ(bytes_get_be32(buf.data + 2), 0x03040506);
    buf_fini(&buf);
}

static void test_little_endian(void)
{
    unsigned char at[15] = {0};
    bytes_put_le16(at + 1, 0x0102);
    bytes_put_le32(at + 3, 0x03040506);
    bytes_put_le64(at + 7, UINT64_C(0x0708090a0b0c0d0e));
    CHECK_INT_EQ(at[1], 0x02);
    CHECK_INT_EQ(at[3], 0x06);
    CHECK_INT_EQ(at[7], 0x0e);
    CHECK_INT_EQ(bytes_get_le16(at + 1), 0x0102);
    CHECK_INT_EQ(bytes_get_le32(at + 3), 0x03040506);
    CHECK_INT_EQ(bytes_get_le64(at + 7), INT64_C(0x0708090a0b0c0d0e));
}

static void test_printf(void)
{
    struct buf buf = {0};
    buf_printf(&buf, "%d%s", 12, "x");
    buf_printf(&buf, "%200s", "y");
    CHECK_INT_EQ(buf.length, 203);
    CHECK_INT_EQ(buf.data[202], 'y');
    CHECK_INT_EQ(strlen(buf_string(&buf)), 203);
    CHECK_INT_EQ(buf.length, 203);
    buf_fini(&buf);
}

static void test_slices(void)
{
    CHECK(slice_is(slice_of(NULL), ""));
    CHECK(slice_is((struct slice) SLICE_LITERAL("abc"), "abc"));
    CHECK(!slice_is(slice_make("abc", 2), "abc"));
    CHECK(!slice_equal(slice_make("a\0b", 3), slice_make("a\0c", 3)));
    CHECK(slice_equal(slice_make(NULL, 0), slice_make("x", 0)));
}

UNIT_MAIN("buf", {"empty", test_empty}, {"hex", test_hex}, {"growth", test_growth},
          {"reserve does not move the end", test_reserve_does_not_move_the_end},
          {"reset keeps the memory", test_reset_keeps_the_memory}, {"byte order", test_byte_order},
          {"little endian", test_little_endian}, {"printf", test_printf}, {"slices", test_slices})
