/* SPDX-License-Identifier: MIT */
#include "core/message.h"

#include <xxhash.h>

#include "core/property.h"

uint64_t message_hash(const struct message *message)
{
    uint64_t topic = XXH3_64bits(message->topic.data, message->topic.length);

    return XXH3_64bits_withSeed(message->payload.data, message->payload.length, topic);
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
