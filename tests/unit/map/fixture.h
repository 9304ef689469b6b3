/*
 * fixture: one message that the case files of map/ speak of, its parts, and a value as a person
 * reads it.
 *
 *   topic devices/d1/a/b under devices/{device}/{rest...}, and a third capture {none} that
 *     matched nothing;
 *   rule "telemetry", client "bridge", qos 1, retained, received 2026-11-23T03:29:30.123456Z;
 *   properties: content type, response topic, correlation data, expiry 300, user "site" =
 *     "north" (and once more "south"), "odd key" = "x", "" = "nameless";
 *   a payload as JSON, or "text:…", "raw:…".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_FIXTURE_H
#define MQTT2PG_MAP_FIXTURE_H

#include "base/buf.h"
#include "base/text.h"
#include "core/property.h"
#include "decode/decoder.h"
#include "map/expression.h"
#include "unit.h"

enum { RECEIVED_AT_S = 1795404570 };

struct fixture {
    struct arena *arena;
    struct buf properties;
    struct message message;
    struct ack_facts ack;
    struct subject subject;
    struct scope scope;
    struct error error;
};

static const char *const fixture_captures[] = {"device", "rest", "none"};
static const struct slice fixture_values[] = {SLICE_LITERAL("d1"), SLICE_LITERAL("a/b"), {NULL, 0}};

static inline void fixture_property(struct fixture *fixture, enum property id, const char *name,
                                    const char *value, uint32_t number)
{
    struct property_item item = {id, number, slice_of(name), slice_of(value)};
    property_append(&fixture->properties, &item);
}

static inline void fixture_decode(struct fixture *fixture, struct slice payload)
{
    const char *format = "json";
    const char *const others[] = {"text", "raw"};
    for (size_t i = 0; i < 2; i++) {
        size_t length = strlen(others[i]);
        if (payload.length > length && memcmp(payload.data, others[i], length) == 0 &&
            payload.data[length] == ':') {
            format = others[i];
            payload = slice_make(payload.data + length + 1, payload.length - length - 1);
        }
    }
    fixture->message.payload = payload;
    const struct decoder *decoder = decoder_find(slice_of(format));
    const struct decode_input input = {.payload = payload};
    CHECK_INT_EQ(
        decoder->decode(&input, fixture->arena, &fixture->subject.payload, &fixture->error),
        OUTCOME_OK);
    fixture->subject.here = fixture->subject.payload;
}

static inline void fixture_init(struct fixture *fixture, struct slice payload)
{
    *fixture = (struct fixture){.arena = arena_new(4096)};
    fixture_property(fixture, PROPERTY_CONTENT_TYPE, NULL, "text/json", 0);
    fixture_property(fixture, PROPERTY_RESPONSE_TOPIC, NULL, "answers/7", 0);
    fixture_property(fixture, PROPERTY_CORRELATION_DATA, NULL, "\xff\x01", 0);
    fixture_property(fixture, PROPERTY_MESSAGE_EXPIRY, NULL, NULL, 300);
    fixture_property(fixture, PROPERTY_USER, "site", "north", 0);
    fixture_property(fixture, PROPERTY_USER, "site", "south", 0);
    fixture_property(fixture, PROPERTY_USER, "odd key", "x", 0);
    fixture_property(fixture, PROPERTY_USER, "", "nameless", 0);
    fixture->message = (struct message){
        .kind = MESSAGE_PUBLISH,
        .qos = 1,
        .retained = true,
        .received_at_us = INT64_C(1000000) * RECEIVED_AT_S + 123456,
        .topic = slice_of("devices/d1/a/b"),
        .properties = buf_slice(&fixture->properties),
    };
    fixture->scope = (struct scope){.captures = fixture_captures, .capture_count = 3};
    fixture->subject = (struct subject){
        .message = &fixture->message,
        .captures = fixture_values,
        .rule = "telemetry",
        .client_id = "bridge",
    };
    fixture_decode(fixture, payload);
}

static inline void fixture_fini(struct fixture *fixture)
{
    arena_free(fixture->arena);
    buf_fini(&fixture->properties);
}

/* "number 12", "text a", "null", "bytes ff01", "timestamp 2026-…", "array [1]" */
static inline void write_value(struct buf *out, const struct value *value)
{
    buf_append_text(out, value_kind_name(value->kind));
    if (value->kind != VALUE_NULL) {
        buf_append_byte(out, ' ');
    }
    switch (value->kind) {
    case VALUE_NULL:
        break;
    case VALUE_BOOLEAN:
        buf_append_text(out, value->boolean ? "true" : "false");
        break;
    case VALUE_TIME:
        text_format_time(out, value->time_us);
        break;
    case VALUE_BYTES:
        for (size_t i = 0; i < value->text.length; i++) {
            buf_printf(out, "%02x", (unsigned char) value->text.data[i]);
        }
        break;
    default:
        buf_append_slice(out, value->text);
        CHECK_INT_EQ(value->node != NULL,
                     value->kind == VALUE_ARRAY || value->kind == VALUE_OBJECT);
    }
}

#endif
