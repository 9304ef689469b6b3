/*
 * Encodes and decodes the bytes that FORMAT.md draws.
 *
 * SPDX-License-Identifier: MIT
 */
#include "journal/journal_format.h"

#include <assert.h>
#include <xxhash.h>

#include "base/bytes.h"

/* Offsets in a segment's header. */
enum {
    SEGMENT_MAGIC = 0,
    SEGMENT_VERSION = 8,
    SEGMENT_HEADER_LENGTH = 12,
    SEGMENT_UUID = 16,
    SEGMENT_FIRST = 32,
    SEGMENT_SKIPPED = 40,
    SEGMENT_CREATED = 48,
    SEGMENT_CHECKSUM = 56,
};

/* Offsets in a record. */
enum {
    RECORD_MARK = 0,
    RECORD_LENGTH = 4,
    RECORD_SEQUENCE = 8,
    RECORD_CHECKSUM = 16,
    RECORD_RECEIVED = 24,
    RECORD_PROPERTIES_LENGTH = 32,
    RECORD_TOPIC_LENGTH = 36,
    RECORD_PACKET_ID = 38,
    RECORD_KIND = 40,
    RECORD_FLAGS = 41,
    RECORD_TEXT = 42, /* topic, properties, payload */
};

/* The payload of a message's head begins with the length of the whole payload. */
enum { WHOLE_BYTES = 8 };

enum { BODY_BYTES_MIN = RECORD_TEXT - JOURNAL_RECORD_HEADER_BYTES };

enum { FLAG_QOS = 3, FLAG_RETAINED = 4, FLAG_DUPLICATE = 8, FLAG_BROKER_SHIFT = 4 };

static const uint8_t segment_magic[8] = {'m', 'q', 't', 't', '2', 'p', 'g', 'J'};

void segment_header_encode(uint8_t bytes[JOURNAL_SEGMENT_HEADER_BYTES],
                           const struct segment_header *header)
{
    assert(header->first_sequence > 0 && header->skipped < header->first_sequence);
    memcpy(bytes + SEGMENT_MAGIC, segment_magic, sizeof(segment_magic));
    bytes_put_le32(bytes + SEGMENT_VERSION, JOURNAL_FORMAT_VERSION);
    bytes_put_le32(bytes + SEGMENT_HEADER_LENGTH, JOURNAL_SEGMENT_HEADER_BYTES);
    memcpy(bytes + SEGMENT_UUID, header->uuid, sizeof(header->uuid));
    bytes_put_le64(bytes + SEGMENT_FIRST, header->first_sequence);
    bytes_put_le64(bytes + SEGMENT_SKIPPED, header->skipped);
    bytes_put_le64(bytes + SEGMENT_CREATED, (uint64_t) header->created_at_us);
    bytes_put_le64(bytes + SEGMENT_CHECKSUM, XXH3_64bits(bytes, SEGMENT_CHECKSUM));
}

static bool all_zeros(const uint8_t *bytes, size_t length)
{
    uint8_t any = 0;
    for (size_t i = 0; i < length; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

enum format_verdict segment_header_decode(const uint8_t *bytes, size_t length,
                                          struct segment_header *header)
{
    if (length < JOURNAL_SEGMENT_HEADER_BYTES) {
        return FORMAT_SHORT;
    }
    if (all_zeros(bytes, JOURNAL_SEGMENT_HEADER_BYTES)) {
        return FORMAT_EMPTY;
    }
    if (memcmp(bytes + SEGMENT_MAGIC, segment_magic, sizeof(segment_magic)) != 0) {
        return FORMAT_FOREIGN;
    }
    /* The checksum comes first: a flipped bit in the version is damage, not a newer version. */
    if (bytes_get_le64(bytes + SEGMENT_CHECKSUM) != XXH3_64bits(bytes, SEGMENT_CHECKSUM)) {
        return FORMAT_DAMAGED;
    }
    if (bytes_get_le32(bytes + SEGMENT_VERSION) > JOURNAL_FORMAT_VERSION) {
        return FORMAT_NEWER;
    }
    header->version = bytes_get_le32(bytes + SEGMENT_VERSION);
    memcpy(header->uuid, bytes + SEGMENT_UUID, sizeof(header->uuid));
    header->first_sequence = bytes_get_le64(bytes + SEGMENT_FIRST);
    header->skipped = bytes_get_le64(bytes + SEGMENT_SKIPPED);
    header->created_at_us = (int64_t) bytes_get_le64(bytes + SEGMENT_CREATED);
    bool sensible = header->first_sequence > 0 && header->skipped < header->first_sequence &&
                    header->version >= JOURNAL_FORMAT_VERSION_MIN &&
                    bytes_get_le32(bytes + SEGMENT_HEADER_LENGTH) == JOURNAL_SEGMENT_HEADER_BYTES;
    return sensible ? FORMAT_SOUND : FORMAT_DAMAGED;
}

uint64_t record_seed(const struct segment_header *header)
{
    uint8_t bytes[24];
    memcpy(bytes, header->uuid, sizeof(header->uuid));
    bytes_put_le64(bytes + 16, header->first_sequence);
    return XXH3_64bits(bytes, sizeof(bytes));
}

uint32_t record_mark(uint64_t seed)
{
    return (uint32_t) (seed >> 32) | 1; /* never zero: zeros mean "never written" */
}

static size_t padded(size_t length)
{
    return (length + JOURNAL_RECORD_ALIGN - 1) & ~(size_t) (JOURNAL_RECORD_ALIGN - 1);
}

/* The hash of the header's fields is the seed of the body's hash. So one pass without a copy covers
 * all bytes but the checksum. */
static uint64_t record_checksum(const uint8_t *record, size_t body_length, uint64_t seed)
{
    uint64_t chained = XXH3_64bits_withSeed(record, RECORD_CHECKSUM, seed);
    return XXH3_64bits_withSeed(record + JOURNAL_RECORD_HEADER_BYTES, body_length, chained);
}

static size_t body_length_of(const struct message *message)
{
    return BODY_BYTES_MIN + message->topic.length + message->properties.length +
           (message->kind == MESSAGE_HEAD ? WHOLE_BYTES : 0) + message->payload.length;
}

size_t record_size(const struct message *message)
{
    return padded(JOURNAL_RECORD_HEADER_BYTES + body_length_of(message));
}

static uint8_t *put_slice(uint8_t *at, struct slice slice)
{
    if (slice.length > 0) {
        memcpy(at, slice.data, slice.length);
    }
    return at + slice.length;
}

void record_encode(struct buf *out, const struct message *message, uint64_t seed)
{
    assert(message->kind > 0 && message->kind <= UINT8_MAX && message->qos <= FLAG_QOS);
    assert(message->broker <= MESSAGE_BROKER_MAX);
    assert(message->topic.length <= UINT16_MAX && message->properties.length <= UINT32_MAX);
    size_t body_length = body_length_of(message);
    size_t size = record_size(message);
    uint8_t *record = (uint8_t *) buf_reserve(out, size);
    int flags = message->qos | (message->retained ? FLAG_RETAINED : 0) |
                (message->duplicate ? FLAG_DUPLICATE : 0) | message->broker << FLAG_BROKER_SHIFT;

    bytes_put_le32(record + RECORD_MARK, record_mark(seed));
    bytes_put_le32(record + RECORD_LENGTH, (uint32_t) body_length);
    bytes_put_le64(record + RECORD_SEQUENCE, message->sequence);
    bytes_put_le64(record + RECORD_RECEIVED, (uint64_t) message->received_at_us);
    bytes_put_le32(record + RECORD_PROPERTIES_LENGTH, (uint32_t) message->properties.length);
    bytes_put_le16(record + RECORD_TOPIC_LENGTH, (uint16_t) message->topic.length);
    bytes_put_le16(record + RECORD_PACKET_ID, message->packet_id);
    record[RECORD_KIND] = (uint8_t) message->kind;
    record[RECORD_FLAGS] = (uint8_t) flags;
    uint8_t *at = put_slice(record + RECORD_TEXT, message->topic);
    at = put_slice(at, message->properties);
    if (message->kind == MESSAGE_HEAD) {
        bytes_put_le64(at, message->whole_bytes);
        at += WHOLE_BYTES;
    }
    at = put_slice(at, message->payload);
    assert(at <= record + size);
    memset(at, 0, (size_t) (record + size - at));
    bytes_put_le64(record + RECORD_CHECKSUM, record_checksum(record, body_length, seed));
    out->length += size;
}

/* False when there is no room for the length of the whole payload. */
static bool head_decode(struct message *message)
{
    if (message->payload.length < WHOLE_BYTES) {
        return false;
    }
    message->whole_bytes = bytes_get_le64(message->payload.data);
    message->payload =
        slice_make(message->payload.data + WHOLE_BYTES, message->payload.length - WHOLE_BYTES);
    return true;
}

/* Reads the parts of a body whose checksum is right. False when its lengths contradict each
 * other. */
static bool body_decode(const uint8_t *record, size_t body_length, struct message *message)
{
    size_t topic_length = bytes_get_le16(record + RECORD_TOPIC_LENGTH);
    size_t properties_length = bytes_get_le32(record + RECORD_PROPERTIES_LENGTH);
    uint64_t sequence = bytes_get_le64(record + RECORD_SEQUENCE);
    if (topic_length + properties_length > body_length - BODY_BYTES_MIN ||
        record[RECORD_KIND] == 0 || sequence == 0 || sequence > JOURNAL_SEQUENCE_MAX) {
        return false;
    }
    const char *text = (const char *) record + RECORD_TEXT;
    uint8_t flags = record[RECORD_FLAGS];
    *message = (struct message){
        .kind = (enum message_kind) record[RECORD_KIND],
        .qos = flags & FLAG_QOS,
        .broker = flags >> FLAG_BROKER_SHIFT,
        .retained = (flags & FLAG_RETAINED) != 0,
        .duplicate = (flags & FLAG_DUPLICATE) != 0,
        .packet_id = bytes_get_le16(record + RECORD_PACKET_ID),
        .sequence = sequence,
        .received_at_us = (int64_t) bytes_get_le64(record + RECORD_RECEIVED),
        .topic = slice_make(text, topic_length),
        .properties = slice_make(text + topic_length, properties_length),
        .payload = slice_make(text + topic_length + properties_length,
                              body_length - BODY_BYTES_MIN - topic_length - properties_length),
    };
    return message->kind != MESSAGE_HEAD || head_decode(message);
}

enum format_verdict record_decode(struct slice bytes, uint64_t seed, struct message *message,
                                  size_t *size)
{
    const uint8_t *record = (const uint8_t *) bytes.data;
    *size = JOURNAL_RECORD_HEADER_BYTES;
    if (bytes.length < JOURNAL_RECORD_HEADER_BYTES) {
        return FORMAT_SHORT;
    }
    if (bytes_get_le32(record + RECORD_MARK) != record_mark(seed)) {
        return all_zeros(record, JOURNAL_RECORD_HEADER_BYTES) ? FORMAT_EMPTY : FORMAT_DAMAGED;
    }
    size_t body_length = bytes_get_le32(record + RECORD_LENGTH);
    if (body_length < BODY_BYTES_MIN || body_length > JOURNAL_RECORD_BYTES_MAX) {
        return FORMAT_DAMAGED;
    }
    *size = JOURNAL_RECORD_HEADER_BYTES + body_length;
    if (bytes.length < *size) {
        return FORMAT_SHORT;
    }
    if (bytes_get_le64(record + RECORD_CHECKSUM) != record_checksum(record, body_length, seed) ||
        !body_decode(record, body_length, message)) {
        return FORMAT_DAMAGED;
    }
    *size = padded(*size);
    return FORMAT_SOUND;
}
