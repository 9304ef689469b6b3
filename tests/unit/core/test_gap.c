/* SPDX-License-Identifier: MIT */
#include "core/gap.h"

#include "unit.h"

static void test_there_and_back(void)
{
    struct buf payload = {0};
    struct gap gap = {.cause = slice_of("broker session lost"),
                      .noticed_at_us = 1732332570123456,
                      .from_us = -1,
                      .to_us = INT64_MAX,
                      .messages = -1};
    buf_append_text(&payload, "what stood there before");
    struct message message = gap_to_message(&gap, &payload);
    CHECK_INT_EQ(message.kind, MESSAGE_GAP);
    CHECK_INT_EQ(message.received_at_us, 1732332570123456);
    CHECK_INT_EQ(message.topic.length, 0);

    struct gap back;
    CHECK(gap_from_message(&message, &back));
    CHECK_SLICE_EQ(back.cause, "broker session lost");
    CHECK_INT_EQ(back.noticed_at_us, gap.noticed_at_us);
    CHECK_INT_EQ(back.from_us, -1);
    CHECK_INT_EQ(back.to_us, INT64_MAX);
    CHECK_INT_EQ(back.messages, -1);
    buf_fini(&payload);
}

/* The bytes stand in journals. */
static void test_layout(void)
{
    struct buf payload = {0};
    struct gap gap = {
        .cause = slice_of("x"), .noticed_at_us = 1, .from_us = 2, .to_us = 3, .messages = 0x0102};
    struct message message = gap_to_message(&gap, &payload);
    static const char expected[] =
        "\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\2\1\0\0\0\0\0\0x";
    CHECK(slice_equal(message.payload, slice_make(expected, sizeof(expected) - 1)));
    buf_fini(&payload);
}

static void test_refused(void)
{
    struct buf payload = {0};
    struct gap gap = {.cause = slice_of("")};
    struct gap back;
    struct message message = gap_to_message(&gap, &payload);
    CHECK(gap_from_message(&message, &back));
    CHECK_INT_EQ(back.cause.length, 0);
    message.payload.length--;
    CHECK(!gap_from_message(&message, &back));
    message.payload.length = 0;
    CHECK(!gap_from_message(&message, &back));
    message = gap_to_message(&gap, &payload);
    message.kind = MESSAGE_PUBLISH;
    CHECK(!gap_from_message(&message, &back));
    buf_fini(&payload);
}

UNIT_MAIN("gap", {"there and back", test_there_and_back}, {"layout", test_layout},
          {"refused", test_refused})
