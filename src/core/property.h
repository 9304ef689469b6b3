/*
 * property: MQTT 5 properties in their wire encoding (MQTT 5.0, section 2.2.2), which is also how
 * the journal keeps them. Only the properties of PUBLISH that a rule can ask for are read and
 * written; others are skipped when read.
 *
 * A malformed list ends at its first malformed item.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_PROPERTY_H
#define MQTT2PG_CORE_PROPERTY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/* MQTT 5.0, table 2-4. */
enum property {
    PROPERTY_PAYLOAD_FORMAT = 0x01,   /* byte: 1 = UTF-8 text */
    PROPERTY_MESSAGE_EXPIRY = 0x02,   /* four bytes: seconds */
    PROPERTY_CONTENT_TYPE = 0x03,     /* text */
    PROPERTY_RESPONSE_TOPIC = 0x08,   /* text */
    PROPERTY_CORRELATION_DATA = 0x09, /* bytes */
    PROPERTY_SUBSCRIPTION = 0x0B, /* variable byte integer: subscription identifier; may repeat */
    PROPERTY_USER = 0x26,         /* name and value; may repeat */
};

struct property_item {
    enum property id;
    uint32_t number;    /* of a byte, four-byte or variable byte integer */
    struct slice name;  /* of a user property */
    struct slice value; /* of text, bytes and user properties; borrowed from the list */
};

/* Takes the next item off the front of `list`; unknown ones are passed over.
 * False at the end. */
bool property_next(struct slice *list, struct property_item *item);

/* The first item with this identifier. */
bool property_find(struct slice list, enum property id, struct property_item *item);

/* The first user property with this name; its value in item->value. */
bool property_find_user(struct slice list, struct slice name, struct property_item *item);

/* Appends one in wire encoding. Texts longer than 65,535 bytes are cut. */
void property_append(struct buf *list, const struct property_item *item);

#endif
