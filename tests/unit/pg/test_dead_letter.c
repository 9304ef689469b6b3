/* SPDX-License-Identifier: MIT */
#include "core/property.h"
#include "pg/dead_letter.h"
#include "unit.h"

/* What the column `properties` says of a message. The way back is proved by
 * test_live_dead_letter.c. */
static void check_json(const struct buf *list, const char *topic, bool duplicate, const char *json)
{
    const struct message message = {
        .topic = slice_of(topic), .properties = buf_slice(list), .duplicate = duplicate};
    struct buf out = {0};
    dead_letter_properties(&out, &message);
    CHECK_TEXT_EQ(buf_string(&out), json);
    buf_fini(&out);
}

static void add(struct buf *list, enum property id, uint32_t number, const char *name,
                const char *value)
{
    const struct property_item item = {
        .id = id, .number = number, .name = slice_of(name), .value = slice_of(value)};
    property_append(list, &item);
}

static void test_properties(void)
{
    struct buf list = {0};
    check_json(&list, "a/b", false, "{}");
    check_json(&list, "a/\xff", true, "{\"topic_bytes\":\"YS//\",\"duplicate\":true}");

    add(&list, PROPERTY_PAYLOAD_FORMAT, 1, NULL, NULL);
    add(&list, PROPERTY_MESSAGE_EXPIRY, 4294967295u, NULL, NULL);
    add(&list, PROPERTY_CONTENT_TYPE, 0, NULL, "application/json");
    add(&list, PROPERTY_RESPONSE_TOPIC, 0, NULL, "re/\"q\"");
    add(&list, PROPERTY_CORRELATION_DATA, 0, NULL, "\x01\xff");
    add(&list, PROPERTY_SUBSCRIPTION, 7, NULL, NULL);
    add(&list, PROPERTY_SUBSCRIPTION, 268435455, NULL, NULL);
    add(&list, PROPERTY_USER, 0, "k", "1");
    add(&list, PROPERTY_USER, 0, "k", "2");
    check_json(
        &list, "t", false,
        "{\"payload_format\":1,\"message_expiry\":4294967295,\"content_type\":\"application/json\","
        "\"response_topic\":\"re/\\\"q\\\"\",\"correlation_data\":\"Af8=\","
        "\"subscriptions\":[7,268435455],\"user\":[[\"k\",\"1\"],[\"k\",\"2\"]]}");
    buf_fini(&list);
}

/* What JSON can't say exactly goes along as it is. */
static void test_wire(void)
{
    struct buf list = {0};
    add(&list, PROPERTY_USER, 0, "k", "v");
    add(&list, PROPERTY_PAYLOAD_FORMAT, 1, NULL, NULL); /* another order */
    check_json(&list, "t", false,
               "{\"payload_format\":1,\"user\":[[\"k\",\"v\"]],\"wire\":\"JgABawABdgEB\"}");
    buf_reset(&list);
    add(&list, PROPERTY_CONTENT_TYPE, 0, NULL, "\xff");
    check_json(&list, "t", false, "{\"content_type\":\"\xef\xbf\xbd\",\"wire\":\"AwAB/w==\"}");
    buf_reset(&list);
    const struct property_item nul = {.id = PROPERTY_CONTENT_TYPE, .value = slice_make("a\0b", 3)};
    property_append(&list, &nul);
    check_json(&list, "t", false,
               "{\"content_type\":\"a\xef\xbf\xbd"
               "b\",\"wire\":\"AwADYQBi\"}");
    buf_reset(&list);
    buf_append(&list, "\x03\x00\xff", 3); /* cut off */
    check_json(&list, "t", false, "{\"wire\":\"AwD/\"}");
    buf_fini(&list);
}

UNIT_MAIN("dead_letter", {"properties", test_properties}, {"wire", test_wire})
