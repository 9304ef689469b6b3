/*
 * One dead letter as a row of COPY BINARY, in the order of sql/embedded/dead-letter-copy.sql:
 *   int16 14 │ received_at failed_at rule topic payload qos retained properties reason sqlstate
 *            │ parked client_id journal sequence
 * each as int32 length and bytes; length -1 is null.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pg/dead_letter_row.h"

#include <assert.h>

#include "base/text.h"
#include "core/calendar.h"
#include "core/property.h"
#include "pg/dead_letter.h"

enum { FIELDS = 14 };

/* The end of the year 9999. A later time, from a broken clock, is lowered to it, so that PostgreSQL
 * does not refuse the dead letter. */
#define TIME_MAX_US INT64_C(253402300799999999)

/* Would PostgreSQL take it as text? */
static bool is_text(struct slice text)
{
    return text_is_utf8(text) && !text_has_nul(text);
}

void dead_letter_append_text(struct buf *out, struct slice text)
{
    if (is_text(text)) {
        buf_append_slice(out, text);
    } else {
        text_append_printable(out, text, SIZE_MAX);
    }
}

/* RFC 4648, section 4, which is what decode(…, 'base64') reads. */
static void append_base64(struct buf *out, struct slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *at = (const unsigned char *) bytes.data;
    for (size_t i = 0; i < bytes.length; i += 3) {
        size_t left = bytes.length - i;
        unsigned three = (unsigned) at[i] << 16 | (left > 1 ? (unsigned) at[i + 1] << 8 : 0) |
                         (left > 2 ? at[i + 2] : 0);
        buf_append_byte(out, (uint8_t) digits[three >> 18]);
        buf_append_byte(out, (uint8_t) digits[three >> 12 & 63]);
        buf_append_byte(out, (uint8_t) (left > 1 ? digits[three >> 6 & 63] : '='));
        buf_append_byte(out, (uint8_t) (left > 2 ? digits[three & 63] : '='));
    }
}

static void append_json_bytes(struct buf *json, struct slice bytes)
{
    buf_append_byte(json, '"');
    append_base64(json, bytes);
    buf_append_byte(json, '"');
}

/* jsonb takes no NUL; like bytes that are no UTF-8 it becomes U+FFFD. */
static void append_json_text(struct buf *json, struct slice text)
{
    struct buf copy = {0};
    buf_append_slice(&copy, text);
    for (size_t i = 0; i < copy.length; i++) {
        if (copy.data[i] == '\0') {
            copy.data[i] = (char) 0xff;
        }
    }
    text_append_json(json, buf_slice(&copy));
    buf_fini(&copy);
}

/* A comma, unless this is the first member of an object or element of an array. */
static void append_comma(struct buf *json)
{
    assert(json->length > 0);
    char last = json->data[json->length - 1];
    if (last != '{' && last != '[') {
        buf_append_byte(json, ',');
    }
}

static void append_name(struct buf *json, const char *name)
{
    append_comma(json);
    buf_printf(json, "\"%s\":", name);
}

enum member_form { MEMBER_NUMBER, MEMBER_TEXT, MEMBER_BYTES, MEMBER_PAIR };

/* In the order in which dead-letter-read.sql makes the wire encoding. */
static const struct member {
    enum property id;
    const char *name;
    enum member_form form;
    bool list; /* may repeat */
} members[] = {
    {PROPERTY_PAYLOAD_FORMAT, "payload_format", MEMBER_NUMBER, false},
    {PROPERTY_MESSAGE_EXPIRY, "message_expiry", MEMBER_NUMBER, false},
    {PROPERTY_CONTENT_TYPE, "content_type", MEMBER_TEXT, false},
    {PROPERTY_RESPONSE_TOPIC, "response_topic", MEMBER_TEXT, false},
    {PROPERTY_CORRELATION_DATA, "correlation_data", MEMBER_BYTES, false},
    {PROPERTY_SUBSCRIPTION, "subscriptions", MEMBER_NUMBER, true},
    {PROPERTY_USER, "user", MEMBER_PAIR, true},
};

static void append_item(struct buf *json, enum member_form form, const struct property_item *item)
{
    switch (form) {
    case MEMBER_NUMBER:
        buf_printf(json, "%u", item->number);
        break;
    case MEMBER_TEXT:
        append_json_text(json, item->value);
        break;
    case MEMBER_BYTES:
        append_json_bytes(json, item->value);
        break;
    case MEMBER_PAIR:
        buf_append_byte(json, '[');
        append_json_text(json, item->name);
        buf_append_byte(json, ',');
        append_json_text(json, item->value);
        buf_append_byte(json, ']');
        break;
    }
}

/* Writes one member, if `list` has it. Appends to `wire` the bytes that dead-letter-read.sql will
 * make from this member: the caller compares them with the original encoding. */
static void append_member(struct buf *json, struct buf *wire, const struct member *member,
                          struct slice list)
{
    struct property_item item;
    bool found = false;

    while (property_next(&list, &item)) {
        if (item.id != member->id || (found && !member->list)) {
            continue;
        }
        if (!found) {
            append_name(json, member->name);
            buf_append_text(json, member->list ? "[" : "");
        }
        found = true;
        if (member->list) {
            append_comma(json);
        }
        append_item(json, member->form, &item);
        bool text = member->form == MEMBER_TEXT || member->form == MEMBER_PAIR;
        if (!text || (is_text(item.name) && is_text(item.value))) {
            property_append(wire, &item);
        }
    }
    if (found && member->list) {
        buf_append_byte(json, ']');
    }
}

/* The members are for people and for SQL, but the bytes of the message must survive, too. When
 * `wire` differs from the original (another order, bytes that are no text, an unknown property),
 * the original goes into the member "wire", and only that counts when the letter is read back. */
void dead_letter_properties(struct buf *json, const struct message *message)
{
    struct buf wire = {0};

    buf_append_byte(json, '{');
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        append_member(json, &wire, &members[i], message->properties);
    }
    if (!is_text(message->topic)) {
        append_name(json, "topic_bytes");
        append_json_bytes(json, message->topic);
    }
    if (message->duplicate) {
        append_name(json, "duplicate");
        buf_append_text(json, "true");
    }
    if (message->kind == MESSAGE_HEAD) {
        append_name(json, "whole_bytes");
        buf_printf(json, "%llu", (unsigned long long) message->whole_bytes);
    }
    if (!slice_equal(buf_slice(&wire), message->properties)) {
        append_name(json, "wire");
        append_json_bytes(json, message->properties);
    }
    buf_append_byte(json, '}');
    buf_fini(&wire);
}

static void append_null(struct buf *rows)
{
    buf_append_be32(rows, UINT32_MAX);
}

static void append_field(struct buf *rows, struct slice bytes)
{
    buf_append_be32(rows, (uint32_t) bytes.length);
    buf_append_slice(rows, bytes);
}

/* The length is written as 0 first and corrected after the odd bytes are escaped. */
static void append_text(struct buf *rows, struct slice text)
{
    size_t start = rows->length;
    buf_append_be32(rows, 0);
    dead_letter_append_text(rows, text);
    assert(rows->length >= start + 4);
    buf_put_be32(rows, start, (uint32_t) (rows->length - start - 4));
}

static void append_text_or_null(struct buf *rows, const char *text)
{
    if (text == NULL || text[0] == '\0') {
        append_null(rows);
    } else {
        append_text(rows, slice_of(text));
    }
}

static void append_int64(struct buf *rows, int64_t value)
{
    buf_append_be32(rows, 8);
    buf_append_be64(rows, (uint64_t) value);
}

/* A timestamptz in binary form: microseconds since 2000-01-01 (PostgreSQL's timestamptz_recv()). */
static void append_time(struct buf *rows, int64_t time_us)
{
    time_us = time_us < 0 ? 0 : time_us > TIME_MAX_US ? TIME_MAX_US : time_us;
    append_int64(rows, time_us - EPOCH_2000_US);
}

static void append_bool(struct buf *rows, bool value)
{
    buf_append_be32(rows, 1);
    buf_append_byte(rows, value);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A UUID's text as its 16 bytes; null when it is none. */
static void append_uuid(struct buf *rows, const char *text)
{
    char bytes[16] = {0};
    size_t digits = 0;
    for (; text != NULL && *text != '\0' && digits < 33; text++) {
        int digit = hex_digit(*text);
        if (digit >= 0 && digits < 32) {
            bytes[digits / 2] = (char) (bytes[digits / 2] << 4 | digit);
        }
        digits += *text != '-';
    }
    if (digits == 32) {
        append_field(rows, slice_make(bytes, sizeof(bytes)));
    } else {
        append_null(rows);
    }
}

static void append_former(struct buf *properties, const struct dead_letter *letter)
{
    if (letter->former == NULL) {
        return;
    }
    assert((letter->parked || letter->waits) && properties->data[properties->length - 1] == '}');
    properties->length--; /* the brace */
    append_comma(properties);
    buf_printf(properties, "%s}", letter->former);
}

void dead_letter_append(struct buf *rows, const struct dead_letter_origin *origin,
                        const struct dead_letter *letter)
{
    const struct message *message = letter->message;
    struct buf properties = {0};
    bool known = origin != NULL && message->sequence != 0;

    buf_append_byte(&properties, 1); /* version of jsonb's binary form */
    dead_letter_properties(&properties, message);
    if (letter->waits) {
        assert(properties.data[properties.length - 1] == '}');
        properties.length--; /* the brace */
        append_name(&properties, "waits");
        buf_append_text(&properties, "true}");
    }
    append_former(&properties, letter);

    buf_append_be16(rows, FIELDS);
    append_time(rows, message->received_at_us);
    append_time(rows, letter->failed_at_us);
    append_text(rows, slice_of(letter->rule));
    append_text(rows, message->topic);
    append_field(rows, message->payload);
    buf_append_be32(rows, 2);
    buf_append_be16(rows, message->qos);
    append_bool(rows, message->retained);
    append_field(rows, buf_slice(&properties));
    append_text(rows, slice_of(letter->reason));
    append_text_or_null(rows, letter->sqlstate);
    append_bool(rows, letter->parked);
    append_text_or_null(rows, known ? origin->client_id : NULL);
    append_uuid(rows, known ? origin->journal : NULL);
    if (known) {
        append_int64(rows, (int64_t) message->sequence);
    } else {
        append_null(rows);
    }
    buf_fini(&properties);
}
