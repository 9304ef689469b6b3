/* SPDX-License-Identifier: MIT */
#include "journal/journal_format.h"

#include <xxhash.h>

#include "base/bytes.h"
#include "fixture.h"

static const struct segment_header header = {
    .uuid = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    .first_sequence = 0x0102030405060708,
    .skipped = 5,
    .created_at_us = 1700000000000000,
};

static void test_segment_header(void)
{
    uint8_t bytes[JOURNAL_SEGMENT_HEADER_BYTES];
    struct segment_header read = {0};
    segment_header_encode(bytes, &header);
    CHECK(memcmp(bytes, "mqtt2pgJ", 8) == 0);
    CHECK(memcmp(bytes + 8, "\2\0\0\0\x40\0\0\0", 8) == 0);
    CHECK(memcmp(bytes + 16, header.uuid, 16) == 0);
    CHECK(memcmp(bytes + 32, "\x08\7\6\5\4\3\2\1", 8) == 0);
    CHECK(memcmp(bytes + 40, "\5\0\0\0\0\0\0\0", 8) == 0);
    CHECK_INT_EQ(bytes_get_le64(bytes + 48), 1700000000000000);
    CHECK_INT_EQ(segment_header_decode(bytes, sizeof(bytes), &read), FORMAT_SOUND);
    CHECK_INT_EQ(read.first_sequence, header.first_sequence);
    CHECK_INT_EQ(read.skipped, header.skipped);
    CHECK_INT_EQ(read.created_at_us, header.created_at_us);
    CHECK(memcmp(read.uuid, header.uuid, 16) == 0);
    for (size_t length = 0; length < sizeof(bytes); length++) {
        CHECK_INT_EQ(segment_header_decode(bytes, length, &read), FORMAT_SHORT);
    }
    for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
        bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
        CHECK_INT_EQ(segment_header_decode(bytes, sizeof(bytes), &read),
                     bit < 64 ? FORMAT_FOREIGN : FORMAT_DAMAGED);
        bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
    }
    memset(bytes, 0, sizeof(bytes));
    CHECK_INT_EQ(segment_header_decode(bytes, sizeof(bytes), &read), FORMAT_EMPTY);
}

/* Whole records, byte by byte: a change here is a change of the format. */
static void test_bytes_of_a_record(void)
{
    /* clang-format off */
    static const uint8_t expected[] = {
        /* mark */ 0, 0, 0, 0,
        /* length 18 + 3 + 0 + 2 */ 23, 0, 0, 0,
        /* sequence */ 8, 7, 6, 5, 4, 3, 2, 1,
        /* checksum */ 0, 0, 0, 0, 0, 0, 0, 0,
        /* received */ 0x11, 0x22, 0x33, 0, 0, 0, 0, 0,
        /* properties, topic */ 0, 0, 0, 0, 3, 0,
        /* packet id */ 0x34, 0x12,
        /* kind, flags and broker */ 1, 2 | 4 | 8 | 11 << 4,
        'a', '/', 'b', 'h', 'i', 0};
    /* clang-format on */
    uint64_t seed = record_seed(&header);
    struct buf out = {0};
    struct message message = {.kind = MESSAGE_PUBLISH,
                              .qos = 2,
                              .broker = 11,
                              .retained = true,
                              .duplicate = true,
                              .packet_id = 0x1234,
                              .sequence = 0x0102030405060708,
                              .received_at_us = 0x332211,
                              .topic = SLICE_LITERAL("a/b"),
                              .payload = SLICE_LITERAL("hi")};
    record_encode(&out, &message, seed);
    CHECK_INT_EQ(out.length, 48);
    CHECK_INT_EQ(record_size(&message), 48);
    CHECK_INT_EQ(sizeof(expected), 48);
    CHECK_INT_EQ(bytes_get_le32(out.data), record_mark(seed));
    CHECK(bytes_get_le64(out.data + 16) != 0);
    memset(out.data, 0, 4);
    memset(out.data + 16, 0, 8);
    CHECK(memcmp(out.data, expected, sizeof(expected)) == 0);
    buf_fini(&out);
}

/* Numbers that must never change: they are in people's files. */
static void test_known_hashes(void)
{
    struct buf out = {0};
    struct message message = {.kind = MESSAGE_PUBLISH, .sequence = 1};
    uint64_t seed = record_seed(&header);
    uint8_t bytes[JOURNAL_SEGMENT_HEADER_BYTES];
    segment_header_encode(bytes, &header);
    record_encode(&out, &message, seed);
    CHECK_INT_EQ(seed, 0xc032ee5148dd0df8);
    CHECK_INT_EQ(record_mark(seed), 0xc032ee51);
    CHECK_INT_EQ(bytes_get_le64(out.data + 16), 0x9ede2c8a4badbf00);
    CHECK_INT_EQ(bytes_get_le64(bytes + 56), 0x97f196b0671a8f74);
    buf_fini(&out);
}

static void test_round_trip(void)
{
    struct buf bytes = {0};
    struct buf out = {0};
    struct message read;
    size_t size;
    uint64_t seed = record_seed(&header);
    for (uint64_t n = 1; n < 300; n++) {
        struct message message = fixture_message(&bytes, n, n < 290 ? 8 + n : n * 1000);
        message.sequence = n;
        buf_reset(&out);
        record_encode(&out, &message, seed);
        CHECK_INT_EQ(out.length, record_size(&message));
        CHECK_INT_EQ(out.length % 8, 0);
        CHECK_INT_EQ(record_decode(buf_slice(&out), seed, &read, &size), FORMAT_SOUND);
        CHECK_INT_EQ(size, out.length);
        CHECK_INT_EQ(read.sequence, n);
        CHECK_INT_EQ(fixture_number(&read), n);
    }
    /* The smallest and the largest parts. */
    struct message least = {.kind = MESSAGE_GAP, .sequence = 1};
    CHECK_INT_EQ(record_size(&least), JOURNAL_RECORD_BYTES_MIN);
    static char long_topic[65535];
    memset(long_topic, 't', sizeof(long_topic));
    struct message long_one = {.kind = MESSAGE_PUBLISH,
                               .sequence = JOURNAL_SEQUENCE_MAX,
                               .received_at_us = INT64_MIN,
                               .topic = slice_make(long_topic, sizeof(long_topic)),
                               .properties = slice_make(long_topic, 70)};
    buf_reset(&out);
    record_encode(&out, &long_one, seed);
    CHECK_INT_EQ(record_decode(buf_slice(&out), seed, &read, &size), FORMAT_SOUND);
    CHECK(slice_equal(read.topic, long_one.topic) && read.received_at_us == INT64_MIN);
    CHECK_INT_EQ(read.properties.length, 70);
    CHECK_INT_EQ(read.payload.length, 0);
    long_one.sequence++; /* no program gives it */
    buf_reset(&out);
    record_encode(&out, &long_one, seed);
    CHECK_INT_EQ(record_decode(buf_slice(&out), seed, &read, &size), FORMAT_DAMAGED);
    buf_fini(&out);
    buf_fini(&bytes);
}

static void test_head(void)
{
    static const char payload[10000] = "{";
    struct buf out = {0};
    struct message read;
    size_t size;
    uint64_t seed = record_seed(&header);
    struct message message = {.kind = MESSAGE_PUBLISH,
                              .sequence = 1,
                              .topic = SLICE_LITERAL("a"),
                              .properties = slice_make(payload, 70),
                              .payload = slice_make(payload, sizeof(payload))};
    message_cut(&message);
    record_encode(&out, &message, seed);
    CHECK_INT_EQ(out.length, record_size(&message));
    CHECK_INT_EQ(record_decode(buf_slice(&out), seed, &read, &size), FORMAT_SOUND);
    CHECK_INT_EQ(read.kind, MESSAGE_HEAD);
    CHECK_INT_EQ(read.whole_bytes, sizeof(payload));
    CHECK_INT_EQ(read.properties.length, 70);
    CHECK(slice_equal(read.payload, slice_make(payload, MESSAGE_HEAD_BYTES)));

    /* A head without the length of its whole. */
    message =
        (struct message){.kind = MESSAGE_PUBLISH, .sequence = 1, .payload = slice_of("1234567")};
    buf_reset(&out);
    record_encode(&out, &message, seed);
    out.data[40] = MESSAGE_HEAD;
    uint64_t chained = XXH3_64bits_withSeed(out.data, 16, seed);
    bytes_put_le64(out.data + 16, XXH3_64bits_withSeed(out.data + 24, 18 + 7, chained));
    CHECK_INT_EQ(record_decode(buf_slice(&out), seed, &read, &size), FORMAT_DAMAGED);
    buf_fini(&out);
}

static void test_short_and_damaged(void)
{
    struct buf bytes = {0};
    struct buf out = {0};
    struct message read;
    size_t size;
    uint64_t seed = record_seed(&header);
    struct message message = fixture_message(&bytes, 7, 40);
    message.sequence = 9;
    size_t unpadded = 24 + 18 + message.topic.length + message.properties.length + 40;
    record_encode(&out, &message, seed);
    CHECK(unpadded < out.length); /* there is padding to test */
    for (size_t length = 0; length <= out.length; length++) {
        struct slice part = slice_make(out.data, length);
        enum format_verdict verdict = record_decode(part, seed, &read, &size);
        CHECK_INT_EQ(verdict, length < unpadded ? FORMAT_SHORT : FORMAT_SOUND);
        CHECK_INT_EQ(size, length < 24 ? 24 : length < unpadded ? unpadded : out.length);
    }
    for (size_t bit = 0; bit < 8 * unpadded; bit++) {
        out.data[bit / 8] ^= (char) (1 << bit % 8);
        enum format_verdict verdict = record_decode(buf_slice(&out), seed, &read, &size);
        CHECK(verdict == FORMAT_DAMAGED || verdict == FORMAT_SHORT);
        out.data[bit / 8] ^= (char) (1 << bit % 8);
    }
    CHECK_INT_EQ(record_decode(buf_slice(&out), seed ^ 1, &read, &size), FORMAT_DAMAGED);
    struct segment_header other = header;
    other.first_sequence++;
    CHECK_INT_EQ(record_decode(buf_slice(&out), record_seed(&other), &read, &size), FORMAT_DAMAGED);
    memset(out.data, 0, out.length);
    CHECK_INT_EQ(record_decode(buf_slice(&out), seed, &read, &size), FORMAT_EMPTY);
    buf_fini(&out);
    buf_fini(&bytes);
}

/* A length that no record has is refused for itself, whatever the checksum says: what is behind it
 * would be read as fields. */
static void test_length_out_of_bounds(void)
{
    const uint32_t wrong[] = {0, 1, 17, JOURNAL_RECORD_BYTES_MAX + 1, UINT32_MAX};
    uint64_t seed = record_seed(&header);
    struct message read;
    size_t size;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char record[64] = {0};
        bytes_put_le32(record, record_mark(seed));
        bytes_put_le32(record + 4, wrong[i]);
        bytes_put_le64(record + 8, 9);
        memset(record + 24, 1, sizeof(record) - 24);
        if (wrong[i] <= sizeof(record) - 24) {
            uint64_t chained = XXH3_64bits_withSeed(record, 16, seed);
            bytes_put_le64(record + 16, XXH3_64bits_withSeed(record + 24, wrong[i], chained));
        }
        CHECK_INT_EQ(record_decode(slice_make(record, sizeof(record)), seed, &read, &size),
                     FORMAT_DAMAGED);
        CHECK_INT_EQ(size, JOURNAL_RECORD_HEADER_BYTES);
    }
}

UNIT_MAIN("journal_format", {"segment header", test_segment_header},
          {"bytes of a record", test_bytes_of_a_record}, {"known hashes", test_known_hashes},
          {"round trip", test_round_trip}, {"head", test_head},
          {"short and damaged", test_short_and_damaged},
          {"length out of bounds", test_length_out_of_bounds})
