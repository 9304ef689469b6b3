/* What stays of messages whose segments had to go. SPDX-License-Identifier: MIT */
#include <xxhash.h>

#include "core/gap.h"
#include "core/property.h"
#include "fixture.h"
#include "journal/journal_internal.h"
#include "unit.h"

enum { BYTES = 100000 }; /* of a payload: two messages a segment */

static struct journal *open_small(struct journal_options *options)
{
    options->max_bytes = 4 * MB;
    options->keep_ms = 0;
    options->keep_messages = 1000;
    return fixture_open(options);
}

/* Message n, stored at once; with the packet id `id`. */
static void append_stored(struct journal *journal, uint64_t n, uint16_t id)
{
    static struct buf buf;
    struct error error;
    struct message message = fixture_message(&buf, n, BYTES);
    message.kind = MESSAGE_PUBLISH;
    message.qos = id == 0 ? 0 : 1;
    message.packet_id = id;
    CHECK_INT_EQ(journal_append(journal, &message, &error), OUTCOME_OK);
    journal_set_stored(journal, message.sequence);
}

static uint64_t hash_of(uint64_t n)
{
    static struct buf buf;
    struct message message = fixture_message(&buf, n, BYTES);
    return message_hash(&message);
}

/* The keeper deletes when its turn has come, and may go on doing so afterwards. */
static void fill(struct journal *journal, uint64_t from, uint64_t to)
{
    for (uint64_t n = from; n <= to; n++) {
        append_stored(journal, n, (uint16_t) n);
    }
    WAIT_UNTIL(journal_first(journal) > 20);
}

/* Those of the messages `from` to `to`, by number, whose packet id and sequence are n. */
static void check_deliveries(struct journal *journal, uint64_t before, uint64_t from, uint64_t to)
{
    struct journal_delivery *deliveries;
    size_t count = journal_deliveries(journal, before, &deliveries);
    if (CHECK_INT_EQ(count, to + 1 - from)) {
        for (size_t i = 0; i < count; i++) {
            CHECK_INT_EQ(deliveries[i].sequence, from + i);
            CHECK_INT_EQ(deliveries[i].packet_id, from + i);
            CHECK(deliveries[i].hash == hash_of(from + i));
        }
    }
    free(deliveries);
}

static void test_deleted_are_known(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal *journal = open_small(&options);
    check_deliveries(journal, UINT64_MAX, 1, 0);
    fill(journal, 1, 60);
    uint64_t first = journal_first(journal);
    check_deliveries(journal, first, 1, first - 1);
    check_deliveries(journal, 11, 1, 10);
    journal_close(journal);
    journal = fixture_open(&options);
    first = journal_first(journal);
    check_deliveries(journal, first, 1, first - 1);
    journal_close(journal);
}

/* Nothing is written when the journal holds as many messages as are wanted. */
static void test_none_without_need(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    options.max_bytes = 4 * MB;
    options.keep_ms = 0;
    options.keep_messages = 4;
    struct journal *journal = fixture_open(&options);
    for (uint64_t n = 1; n <= 60; n++) {
        append_stored(journal, n, (uint16_t) n);
    }
    WAIT_UNTIL(journal_first(journal) > 50);
    check_deliveries(journal, UINT64_MAX, 1, 0);
    journal_close(journal);
}

/* A copy that was left out had the id of an older message, whose segment goes later. */
static void test_older_one_comes_later(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal *journal = open_small(&options);
    struct journal_delivery *deliveries;
    struct error error;
    for (uint64_t n = 1; n <= 4; n++) {
        append_stored(journal, n, (uint16_t) n);
    }
    const struct journal_delivery copy = {.sequence = 4, .hash = 99, .packet_id = 2, .broker = 3};
    CHECK_INT_EQ(journal_note_delivery(journal, &copy, &error), OUTCOME_OK);
    fill(journal, 5, 60);
    size_t count = journal_deliveries(journal, 5, &deliveries);
    if (CHECK_INT_EQ(count, 4)) {
        bool copy_first = deliveries[2].packet_id == 2; /* two have the number 4 */
        const struct journal_delivery *kept = &deliveries[copy_first ? 2 : 3];
        CHECK_INT_EQ(deliveries[0].packet_id, 1);
        CHECK_INT_EQ(deliveries[1].packet_id, 3);
        CHECK_INT_EQ(kept->packet_id, 2);
        CHECK_INT_EQ(kept->sequence, 4);
        CHECK_INT_EQ(kept->hash, 99);
        CHECK_INT_EQ(kept->broker, 3);
    }
    free(deliveries);
    journal_close(journal);
}

/* Ids are given again and in no order; QoS 0 has none. */
static void test_newest_of_an_id(void)
{
    static const uint16_t ids[] = {7, 0, 65535, 1, 2, 3, 9, 8, 7, 65535};
    struct journal_options options = fixture_options(fixture_directory());
    struct journal *journal = open_small(&options);
    struct journal_delivery *deliveries;
    for (uint64_t n = 1; n <= 10; n++) {
        append_stored(journal, n, ids[n - 1]);
    }
    fill(journal, 101, 150);
    size_t count = journal_deliveries(journal, 11, &deliveries);
    static const uint64_t expected[] = {4, 5, 6, 7, 8, 9, 10};
    if (CHECK_INT_EQ(count, sizeof(expected) / sizeof(expected[0]))) {
        for (size_t i = 0; i < count; i++) {
            CHECK_INT_EQ(deliveries[i].sequence, expected[i]);
            CHECK_INT_EQ(deliveries[i].packet_id, ids[expected[i] - 1]);
            CHECK(deliveries[i].hash == hash_of(expected[i]));
        }
    }
    free(deliveries);
    journal_close(journal);
}

/* What was delivered before a lost session is never repeated. */
static void test_lost_session(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal *journal = open_small(&options);
    struct buf payload = {0};
    struct error error;
    for (uint64_t n = 1; n <= 9; n++) {
        append_stored(journal, n, (uint16_t) n);
    }
    struct gap gap = {.cause = slice_of(gap_session_perhaps_lost), .messages = -1};
    struct message message = gap_to_message(&gap, &payload);
    CHECK_INT_EQ(journal_append(journal, &message, &error), OUTCOME_OK); /* 10: perhaps */
    for (uint64_t n = 11; n <= 12; n++) {
        append_stored(journal, n, (uint16_t) n);
    }
    gap.cause = slice_of(gap_session_lost);
    message = gap_to_message(&gap, &payload);
    CHECK_INT_EQ(journal_append(journal, &message, &error), OUTCOME_OK); /* 13: certainly */
    fill(journal, 14, 60);
    check_deliveries(journal, 20, 14, 19);
    buf_fini(&payload);
    journal_close(journal);
}

static int open_deliveries(const struct journal_options *options)
{
    char path[400];
    snprintf(path, sizeof(path), "%s/%s", options->directory, DELIVERIES_FILE_NAME);
    return open(path, O_RDWR | O_CLOEXEC);
}

/* A spoilt slot is none, the others count; the file of another journal is none of ours; a short one
 * counts as far as it goes. */
static void test_damaged(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal_options other = fixture_options(fixture_directory());
    struct journal *journal = open_small(&options);
    struct journal *stranger = open_small(&other);
    char path[400];
    char strange_path[400];
    fill(journal, 1, 60);
    snprintf(path, sizeof(path), "%s/%s", options.directory, DELIVERIES_FILE_NAME);
    snprintf(strange_path, sizeof(strange_path), "%s/%s", other.directory, DELIVERIES_FILE_NAME);
    CHECK(fixture_copy_file(path, strange_path));
    check_deliveries(stranger, UINT64_MAX, 1, 0);

    int fd = open_deliveries(&options);
    for (int byte = 0; byte < 24; byte++) {
        uint8_t was;
        UNIT_CASE("byte %d", byte);
        CHECK(pread(fd, &was, 1, 24 + byte) == 1);
        uint8_t flipped = was ^ 1;
        CHECK(pwrite(fd, &flipped, 1, 24 + byte) == 1);
        check_deliveries(journal, 11, 2, 10);
        CHECK(pwrite(fd, &was, 1, 24 + byte) == 1);
    }
    check_deliveries(journal, 11, 1, 10);
    CHECK(ftruncate(fd, 24 * 6 + 5) == 0);
    check_deliveries(journal, 11, 1, 5);
    close(fd);
    journal_close(journal);
    journal_close(stranger);
}

/* A copy's subscription is told. Slots of earlier versions have none, and a longer checksum. */
static void test_subscriptions(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal *journal = open_small(&options);
    struct buf payload = {0}, properties = {0};
    struct error error;
    struct journal_delivery *deliveries;

    for (uint32_t n = 1; n <= 3; n++) { /* the first one for none, the third one for two */
        struct message message = fixture_message(&payload, n, BYTES);
        message.kind = MESSAGE_PUBLISH;
        message.qos = 1;
        message.packet_id = (uint16_t) n;
        if (n > 1) {
            property_append(&properties, &(struct property_item){.id = PROPERTY_SUBSCRIPTION,
                                                                 .number = 1000 * n});
        }
        message.properties = n == 1 ? slice_of("") : buf_slice(&properties);
        CHECK_INT_EQ(journal_append(journal, &message, &error), OUTCOME_OK);
        journal_set_stored(journal, message.sequence);
    }
    fill(journal, 4, 60);

    uint8_t slot[24];
    int fd = open_deliveries(&options);
    CHECK(pread(fd, slot, sizeof(slot), 24 * 3) == sizeof(slot));
    uint64_t seed = XXH3_64bits_withSeed(journal->uuid, sizeof(journal->uuid), 3);
    uint64_t checksum = XXH3_64bits_withSeed(slot, 16, seed);
    memcpy(slot + 16, &checksum, 8);
    CHECK(pwrite(fd, slot, sizeof(slot), 24 * 3) == sizeof(slot));
    close(fd);

    static const uint32_t expected[] = {0, 2000, 0};
    if (CHECK_INT_EQ(journal_deliveries(journal, 4, &deliveries), 3)) {
        for (size_t i = 0; i < 3; i++) {
            CHECK_INT_EQ(deliveries[i].sequence, i + 1);
            CHECK_INT_EQ(deliveries[i].subscription, expected[i]);
        }
    }
    free(deliveries);
    buf_fini(&payload);
    buf_fini(&properties);
    journal_close(journal);
}

/* kill -9 left the first record of a segment unfinished, and the start cut it off. The segment has no
 * messages then, and is deleted like others. */
static void test_segment_without_messages(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    char position[320];
    char saved[320];
    struct journal *journal = open_small(&options);
    append_stored(journal, 1, 1);
    append_stored(journal, 2, 2);
    journal_close(journal);
    snprintf(position, sizeof(position), "%s/%s", options.directory, CURSOR_FILE_NAME);
    snprintf(saved, sizeof(saved), "%s/saved", options.directory);
    fixture_copy_file(position, saved);

    journal = open_small(&options);
    append_stored(journal, 3, 3);
    journal_close(journal);
    fixture_copy_file(saved, position);
    CHECK(fixture_segment(options.directory, 2)[0] == '\0');
    CHECK_INT_EQ(truncate(fixture_segment(options.directory, 1), FILE_PAGE_BYTES), 0);

    journal = open_small(&options);
    uint64_t before = journal_last(journal);
    CHECK(before > 3); /* nobody knows how many messages the cut record was */
    for (uint64_t n = 4; n <= 60; n++) {
        append_stored(journal, n, (uint16_t) n);
    }
    WAIT_UNTIL(journal_first(journal) > before);
    struct journal_delivery *deliveries;
    size_t count = journal_deliveries(journal, before, &deliveries);
    CHECK_INT_EQ(count, 2);
    free(deliveries);
    journal_close(journal);
}

UNIT_MAIN("journal_deliveries", {"deleted messages are known", test_deleted_are_known},
          {"none without need", test_none_without_need},
          {"an older one comes later", test_older_one_comes_later},
          {"a segment without messages", test_segment_without_messages},
          {"the newest of an id", test_newest_of_an_id}, {"a lost session", test_lost_session},
          {"damaged", test_damaged}, {"subscriptions", test_subscriptions})
