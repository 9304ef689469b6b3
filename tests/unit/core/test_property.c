/* SPDX-License-Identifier: MIT */
#include "core/property.h"

#include "unit.h"

#define BYTES(literal) slice_make(literal, sizeof(literal) - 1)

static void test_there_and_back(void)
{
    static const struct property_item items[] = {
        {.id = PROPERTY_PAYLOAD_FORMAT, .number = 1},
        {.id = PROPERTY_MESSAGE_EXPIRY, .number = UINT32_MAX},
        {.id = PROPERTY_CONTENT_TYPE, .value = SLICE_LITERAL("text/plain")},
        {.id = PROPERTY_RESPONSE_TOPIC, .value = SLICE_LITERAL("a/b")},
        {.id = PROPERTY_CORRELATION_DATA, .value = SLICE_LITERAL("\0\1\2")},
        {.id = PROPERTY_SUBSCRIPTION, .number = 268435455},
        {.id = PROPERTY_SUBSCRIPTION, .number = 127},
        {.id = PROPERTY_SUBSCRIPTION, .number = 128},
        {.id = PROPERTY_USER, .name = SLICE_LITERAL("k"), .value = SLICE_LITERAL("v")},
        {.id = PROPERTY_USER, .name = SLICE_LITERAL("k"), .value = SLICE_LITERAL("")},
    };
    struct buf list = {0};
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        property_append(&list, &items[i]);
    }
    struct slice rest = buf_slice(&list);
    struct property_item item;
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        UNIT_CASE("item %zu", i);
        CHECK(property_next(&rest, &item));
        CHECK_INT_EQ(item.id, items[i].id);
        CHECK_INT_EQ(item.number, items[i].number);
        CHECK(slice_equal(item.name, items[i].name));
        CHECK(slice_equal(item.value, items[i].value));
    }
    CHECK(!property_next(&rest, &item));
    CHECK(property_find(buf_slice(&list), PROPERTY_SUBSCRIPTION, &item));
    CHECK_INT_EQ(item.number, 268435455);
    CHECK(property_find_user(buf_slice(&list), slice_of("k"), &item));
    CHECK_SLICE_EQ(item.value, "v");
    CHECK(!property_find_user(buf_slice(&list), slice_of("K"), &item));
    buf_fini(&list);
}

static void test_wire(void)
{
    struct buf list = {0};
    property_append(&list, &(struct property_item){.id = PROPERTY_MESSAGE_EXPIRY, .number = 258});
    property_append(&list, &(struct property_item){.id = PROPERTY_SUBSCRIPTION, .number = 321});
    property_append(&list, &(struct property_item){.id = PROPERTY_USER,
                                                   .name = slice_of("a"),
                                                   .value = slice_of("bc")});
    CHECK(slice_equal(buf_slice(&list),
                      BYTES("\x02\0\0\x01\x02\x0b\xc1\x02\x26\0\x01\x61\0\x02\x62\x63")));
    buf_fini(&list);
}

/* Each property of MQTT 5 that no rule asks for, then a content type: all must be passed over. */
static void test_passed_over(void)
{
    struct slice list = BYTES("\x11\0\0\0\x01"
                              "\x12\0\x01x"
                              "\x13\0\x01"
                              "\x15\0\0"
                              "\x16\0\x01x"
                              "\x17\x01"
                              "\x18\0\0\0\x01"
                              "\x19\x01"
                              "\x1a\0\x01x"
                              "\x1c\0\x01x"
                              "\x1f\0\x01x"
                              "\x21\0\x01"
                              "\x22\0\x01"
                              "\x23\0\x01"
                              "\x24\x01"
                              "\x25\x01"
                              "\x27\0\0\0\x01"
                              "\x28\x01"
                              "\x29\x01"
                              "\x2a\x01"
                              "\x03\0\x02ok");
    struct property_item item;
    CHECK(property_next(&list, &item));
    CHECK_INT_EQ(item.id, PROPERTY_CONTENT_TYPE);
    CHECK_SLICE_EQ(item.value, "ok");
    CHECK(!property_next(&list, &item));
}

static void test_malformed(void)
{
    static const struct slice lists[] = {
        SLICE_LITERAL(""),
        SLICE_LITERAL("\0"),                     /* no property 0 */
        SLICE_LITERAL("\x04\0"),                 /* nor 4 */
        SLICE_LITERAL("\x2b\0"),                 /* nor 43 */
        SLICE_LITERAL("\xff\xff\xff\x7f"),       /* nor this */
        SLICE_LITERAL("\x80"),                   /* identifier cut off */
        SLICE_LITERAL("\x01"),                   /* byte missing */
        SLICE_LITERAL("\x02\0\0\0"),             /* three of four */
        SLICE_LITERAL("\x03\0"),                 /* half a length */
        SLICE_LITERAL("\x03\0\x02x"),            /* text cut off */
        SLICE_LITERAL("\x26\0\x01k"),            /* value missing */
        SLICE_LITERAL("\x26\0\x01k\0\x01"),      /* value cut off */
        SLICE_LITERAL("\x0b\x80\x80\x80\x80\1"), /* five bytes */
        SLICE_LITERAL("\x0b\x80"),
    };
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        UNIT_CASE("list %zu", i);
        /* At the end of its own memory, so that a sanitizer sees a read beyond. */
        char *copy = malloc(lists[i].length + 1);
        memcpy(copy + 1, lists[i].data, lists[i].length);
        struct slice list = slice_make(copy + 1, lists[i].length);
        struct property_item item;
        CHECK(!property_next(&list, &item));
        CHECK_INT_EQ(list.length, 0);
        free(copy);
    }
    /* What stands before the damage counts. */
    struct slice list = BYTES("\x01\x01\x03\0\x09x");
    struct property_item item;
    CHECK(property_next(&list, &item));
    CHECK(!property_next(&list, &item));
}

static void test_cut(void)
{
    struct buf list = {0};
    char *text = malloc(65537);
    memset(text, 'x', 65537);
    memcpy(text + 65534, "\xc3\xa4", 2);
    struct property_item item = {.id = PROPERTY_CONTENT_TYPE, .value = slice_make(text, 65537)};
    property_append(&list, &item);
    CHECK(property_find(buf_slice(&list), PROPERTY_CONTENT_TYPE, &item));
    CHECK_INT_EQ(item.value.length, 65534); /* not through the ä */
    item =
        (struct property_item){.id = PROPERTY_CORRELATION_DATA, .value = slice_make(text, 65537)};
    property_append(&list, &item);
    CHECK(property_find(buf_slice(&list), PROPERTY_CORRELATION_DATA, &item));
    CHECK_INT_EQ(item.value.length, 65535);
    free(text);
    buf_fini(&list);
}

UNIT_MAIN("property", {"there and back", test_there_and_back}, {"wire", test_wire},
          {"passed over", test_passed_over}, {"malformed", test_malformed}, {"cut", test_cut})
