/* SPDX-License-Identifier: MIT */
#include "core/message.h"

#include <assert.h>
#include <xxhash.h>

#include "core/property.h"

uint64_t message_hash(const struct message *message)
{
    uint64_t topic = XXH3_64bits(message->topic.data, message->topic.length);

    return XXH3_64bits_withSeed(message->payload.data, message->payload.length,
                                topic ^ message->whole_bytes);
}

void message_cut(struct message *message)
{
    assert(message->kind == MESSAGE_PUBLISH && message->whole_bytes == 0);
    message->kind = MESSAGE_HEAD; /* from here on nobody takes it for the whole */
    message->whole_bytes = message->payload.length;
    if (message->payload.length > MESSAGE_HEAD_BYTES) {
        message->payload.length = MESSAGE_HEAD_BYTES;
    }
    if (message->properties.length > MESSAGE_HEAD_BYTES) {
        message->properties = slice_make(NULL, 0);
    }
    assert(message->payload.length <= message->whole_bytes);
}

bool message_came_for(const struct message *message, uint32_t subscription)
{
    struct slice properties = message->properties;
    struct property_item item;

    while (property_next(&properties, &item)) {
        if (item.id == PROPERTY_SUBSCRIPTION && item.number == subscription) {
            return true;
        }
    }
    return false;
}
