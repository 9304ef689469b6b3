/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "core/property.h"
#include "mqtt/paho_internal.h"

static struct slice slice_of_paho(MQTTLenString text)
{
    return slice_make(text.data, text.len > 0 ? (size_t) text.len : 0);
}

/* The properties that a rule can ask for, in wire form. */
static void append_properties(struct buf *out, const MQTTProperties *properties)
{
    for (int i = 0; i < properties->count; i++) {
        const MQTTProperty *each = &properties->array[i];
        struct property_item item = {.id = (enum property) each->identifier};
        switch (item.id) {
        case PROPERTY_PAYLOAD_FORMAT:
            item.number = each->value.byte;
            break;
        case PROPERTY_MESSAGE_EXPIRY:
        case PROPERTY_SUBSCRIPTION:
            item.number = each->value.integer4;
            break;
        case PROPERTY_CONTENT_TYPE:
        case PROPERTY_RESPONSE_TOPIC:
        case PROPERTY_CORRELATION_DATA:
            item.value = slice_of_paho(each->value.data);
            break;
        case PROPERTY_USER:
            item.name = slice_of_paho(each->value.data);
            item.value = slice_of_paho(each->value.value);
            break;
        default:
            continue;
        }
        property_append(out, &item);
    }
}

/* Always returns 1, "taken": after a 0 Paho acknowledges the message all the same, and keeps it in
 * memory. */
int paho_on_message(void *context, char *topic, int topic_length, MQTTAsync_message *paho)
{
    struct paho_link *link = context;
    buf_reset(&link->properties);
    if (link->options.broker->mqtt5) {
        append_properties(&link->properties, &paho->properties);
    }
    struct message message = {
        .kind = MESSAGE_PUBLISH,
        .qos = (uint8_t) paho->qos,
        .retained = paho->retained != 0,
        .duplicate = paho->dup != 0,
        .packet_id = paho->qos > 0 ? (uint16_t) paho->msgid : 0,
        .received_at_us = clock_wall_us(),
        /* On one of Paho's two code paths the length is 0 unless the topic has a NUL inside. */
        .topic = topic_length > 0 ? slice_make(topic, (size_t) topic_length) : slice_of(topic),
        .properties = buf_slice(&link->properties),
        .payload = slice_make(paho->payload, (size_t) paho->payloadlen),
    };
    if (link->options.arrived != NULL) {
        link->options.arrived(link->options.context, &message);
    }
    MQTTAsync_freeMessage(&paho);
    MQTTAsync_free(topic);
    return 1;
}
