/*
 * Acknowledgments that wait outlive programs. tests/data/outbox-v1 was written by version 0.1.0 and
 * is never made again (MAKE_OUTBOX=1 was how): whatever the format is by now, what an old program
 * left is read as it was meant.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>

#include "ack/outbox_list.h"
#include "unit.h"

#define MADE "tests/data/outbox-v1"
#define NAME "00000000000000004711-0000000003.ack" /* position, then the order of writing */
#define UUID "0b5f6c3e-8a53-4c6b-9d7e-2f1a0c4d5e6f"

static const struct ack acks[] = {
    {.rule = SLICE_LITERAL("telemetry"),
     .stored = true,
     .qos = 1,
     .topic = SLICE_LITERAL("devices/a/ack"),
     .payload = SLICE_LITERAL("{\"status\":\"stored\"}")},
    {.rule = SLICE_LITERAL("ü"),
     .qos = 2,
     .retain = true,
     .topic = SLICE_LITERAL("answers/7"),
     .payload = SLICE_LITERAL(""),
     .correlation_data = SLICE_LITERAL("\x01\x00\xff")},
};

static void make(const char *name)
{
    struct outbox_file file = {.mark = {.position = 4711, .stored_at_us = 1795405962123456},
                               .count = 2};
    struct ack_batch batch = {0};
    struct error error;
    snprintf(file.journal, sizeof(file.journal), "%s", UUID);
    ack_batch_append(&batch, &acks[0]);
    ack_batch_append(&batch, &acks[1]);
    int directory = open(MADE, O_RDONLY | O_DIRECTORY);
    CHECK_INT_EQ(outbox_file_write(directory, name, &file, buf_slice(&batch.bytes), &error),
                 OUTCOME_OK);
    close(directory);
    ack_batch_fini(&batch);
}

static void test_read(void)
{
    static const char path[] = MADE "/" NAME;
    struct outbox_file file;
    struct buf content = {0};
    struct slice rest;
    struct error error;
    struct ack ack;
    struct outbox_entry entry;
    if (getenv("MAKE_OUTBOX") != NULL) {
        make(NAME);
    }
    CHECK(outbox_entry_parse(NAME, &entry));
    CHECK_INT_EQ(entry.mark.position, 4711);
    CHECK_INT_EQ(entry.serial, 3);
    CHECK(!outbox_entry_parse("00000000000000004711-4294967295.ack", &entry)); /* no next serial */
    CHECK_INT_EQ(outbox_file_read(path, &file, &content, &rest, &error), OUTCOME_OK);
    CHECK_TEXT_EQ(file.journal, UUID);
    CHECK_INT_EQ(file.mark.position, 4711);
    CHECK_INT_EQ(file.mark.stored_at_us, 1795405962123456);
    CHECK_INT_EQ(file.count, 2);
    for (size_t i = 0; i < 2; i++) {
        CHECK(ack_batch_next(&rest, &ack));
        CHECK(slice_equal(ack.rule, acks[i].rule) && slice_equal(ack.topic, acks[i].topic));
        CHECK(slice_equal(ack.payload, acks[i].payload));
        CHECK(slice_equal(ack.correlation_data, acks[i].correlation_data));
        CHECK(ack.stored == acks[i].stored && ack.retain == acks[i].retain);
        CHECK_INT_EQ(ack.qos, acks[i].qos);
    }
    CHECK_INT_EQ(rest.length, 0);
    buf_fini(&content);
}

UNIT_MAIN("outbox_v1", {"read", test_read})
