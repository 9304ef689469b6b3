/* SPDX-License-Identifier: MIT */
#include "load/copies.h"

#include "core/property.h"

/* The subscription that brought the message, or 0. */
static uint32_t subscription_of(const struct message *message)
{
    struct property_item item;
    return property_find(message->properties, PROPERTY_SUBSCRIPTION, &item) ? item.number : 0;
}

bool copies_has(struct copies *copies, const struct message *message)
{
    uint32_t subscription = subscription_of(message);
    uint64_t hash = message_hash(message);

    for (size_t i = 0; subscription != 0 && i < COPIES_REMEMBERED; i++) {
        if (copies->hashes[i] == hash && copies->subscriptions[i] != 0 &&
            copies->subscriptions[i] != subscription) {
            return true;
        }
    }
    copies->hashes[copies->at] = hash;
    copies->subscriptions[copies->at] = subscription;
    copies->at = (copies->at + 1) % COPIES_REMEMBERED;
    return false;
}

void copies_strip(const struct message *message, struct buf *properties)
{
    struct slice rest = message->properties;
    struct property_item item;

    while (property_next(&rest, &item)) {
        if (item.id != PROPERTY_SUBSCRIPTION) {
            property_append(properties, &item);
        }
    }
}
