/*
 * One property on the wire: its identifier (a variable byte integer below 128), then by type
 *
 *   BYTE  1     TWO  2     FOUR  4     VARIABLE  1 to 4, seven bits each, low ones first
 *   TEXT, DATA  two bytes of length, then so many        PAIR  two texts: name, value
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/property.h"

#include <assert.h>

#include "base/bytes.h"

enum wire_type {
    WIRE_UNKNOWN,
    WIRE_BYTE,
    WIRE_TWO,
    WIRE_FOUR,
    WIRE_VARIABLE,
    WIRE_TEXT,
    WIRE_DATA,
    WIRE_PAIR,
};

/* MQTT 5.0, table 2-4, complete: what stands between must be measured to be passed over. */
static const uint8_t wire_types[0x2B] = {
    [0x01] = WIRE_BYTE, [0x02] = WIRE_FOUR,     [0x03] = WIRE_TEXT, [0x08] = WIRE_TEXT,
    [0x09] = WIRE_DATA, [0x0B] = WIRE_VARIABLE, [0x11] = WIRE_FOUR, [0x12] = WIRE_TEXT,
    [0x13] = WIRE_TWO,  [0x15] = WIRE_TEXT,     [0x16] = WIRE_DATA, [0x17] = WIRE_BYTE,
    [0x18] = WIRE_FOUR, [0x19] = WIRE_BYTE,     [0x1A] = WIRE_TEXT, [0x1C] = WIRE_TEXT,
    [0x1F] = WIRE_TEXT, [0x21] = WIRE_TWO,      [0x22] = WIRE_TWO,  [0x23] = WIRE_TWO,
    [0x24] = WIRE_BYTE, [0x25] = WIRE_BYTE,     [0x26] = WIRE_PAIR, [0x27] = WIRE_FOUR,
    [0x28] = WIRE_BYTE, [0x29] = WIRE_BYTE,     [0x2A] = WIRE_BYTE,
};

static enum wire_type wire_type_of(unsigned id)
{
    return id < sizeof(wire_types) ? (enum wire_type) wire_types[id] : WIRE_UNKNOWN;
}

static void slice_drop(struct slice *list, size_t length)
{
    assert(length <= list->length);
    list->data += length;
    list->length -= length;
}

static bool take_integer(struct slice *list, size_t length, uint32_t *number)
{
    assert(length >= 1 && length <= sizeof(*number));
    if (list->length < length) {
        return false;
    }
    *number = 0;
    for (size_t i = 0; i < length; i++) {
        *number = *number << 8 | (unsigned char) list->data[i];
    }
    slice_drop(list, length);
    return true;
}

/* MQTT 5.0, section 1.5.5: at most four bytes. */
static bool take_variable(struct slice *list, uint32_t *number)
{
    *number = 0;
    for (size_t i = 0; i < 4 && i < list->length; i++) {
        unsigned char byte = (unsigned char) list->data[i];
        *number |= (uint32_t) (byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            slice_drop(list, i + 1);
            return true;
        }
    }
    return false;
}

static bool take_data(struct slice *list, struct slice *data)
{
    uint32_t length;
    if (!take_integer(list, 2, &length) || list->length < length) {
        return false;
    }
    *data = slice_make(list->data, length);
    slice_drop(list, length);
    return true;
}

static bool take_item(struct slice *list, struct property_item *item)
{
    uint32_t id;
    if (!take_variable(list, &id)) {
        return false;
    }
    *item = (struct property_item){.id = (enum property) id};
    switch (wire_type_of(id)) {
    case WIRE_BYTE:
        return take_integer(list, 1, &item->number);
    case WIRE_TWO:
        return take_integer(list, 2, &item->number);
    case WIRE_FOUR:
        return take_integer(list, 4, &item->number);
    case WIRE_VARIABLE:
        return take_variable(list, &item->number);
    case WIRE_TEXT:
    case WIRE_DATA:
        return take_data(list, &item->value);
    case WIRE_PAIR:
        return take_data(list, &item->name) && take_data(list, &item->value);
    case WIRE_UNKNOWN:
        break;
    }
    return false;
}

/* Does a rule ask for it? */
static bool is_listed(enum property id)
{
    switch (id) {
    case PROPERTY_PAYLOAD_FORMAT:
    case PROPERTY_MESSAGE_EXPIRY:
    case PROPERTY_CONTENT_TYPE:
    case PROPERTY_RESPONSE_TOPIC:
    case PROPERTY_CORRELATION_DATA:
    case PROPERTY_SUBSCRIPTION:
    case PROPERTY_USER:
        return true;
    }
    return false;
}

bool property_next(struct slice *list, struct property_item *item)
{
    while (list->length > 0) {
        if (!take_item(list, item)) {
            slice_drop(list, list->length);
            return false;
        }
        if (is_listed(item->id)) {
            return true;
        }
    }
    return false;
}

bool property_find(struct slice list, enum property id, struct property_item *item)
{
    while (property_next(&list, item)) {
        if (item->id == id) {
            return true;
        }
    }
    return false;
}

bool property_find_user(struct slice list, struct slice name, struct property_item *item)
{
    while (property_next(&list, item)) {
        if (item->id == PROPERTY_USER && slice_equal(item->name, name)) {
            return true;
        }
    }
    return false;
}

static void append_data(struct buf *list, struct slice data)
{
    assert(data.length <= UINT16_MAX); /* cut_data() */
    buf_append_be16(list, (uint16_t) data.length);
    buf_append_slice(list, data);
}

static struct slice cut_data(struct slice data)
{
    return slice_make(data.data, data.length > UINT16_MAX ? UINT16_MAX : data.length);
}

/* A cut never leaves half a character: that would be a malformed packet. */
static struct slice cut_text(struct slice text)
{
    struct slice cut = cut_data(text);
    if (cut.length < text.length) {
        while (cut.length > 0 && ((unsigned char) text.data[cut.length] & 0xc0) == 0x80) {
            cut.length--;
        }
    }
    assert(cut.length <= UINT16_MAX);
    return cut;
}

static void append_variable(struct buf *list, uint32_t number)
{
    assert(number < UINT32_C(1) << 28); /* four bytes of seven bits: MQTT 5.0, section 1.5.5 */
    for (; number >= 0x80; number >>= 7) {
        buf_append_byte(list, (uint8_t) (0x80 | (number & 0x7f)));
    }
    buf_append_byte(list, (uint8_t) number);
}

void property_append(struct buf *list, const struct property_item *item)
{
    buf_append_byte(list, (uint8_t) item->id);
    switch (item->id) {
    case PROPERTY_PAYLOAD_FORMAT:
        buf_append_byte(list, (uint8_t) item->number);
        break;
    case PROPERTY_MESSAGE_EXPIRY:
        buf_append_be32(list, item->number);
        break;
    case PROPERTY_SUBSCRIPTION:
        append_variable(list, item->number);
        break;
    case PROPERTY_CONTENT_TYPE:
    case PROPERTY_RESPONSE_TOPIC:
        append_data(list, cut_text(item->value));
        break;
    case PROPERTY_CORRELATION_DATA:
        append_data(list, cut_data(item->value));
        break;
    case PROPERTY_USER:
        append_data(list, cut_text(item->name));
        append_data(list, cut_text(item->value));
        break;
    }
}
