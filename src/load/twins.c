/* SPDX-License-Identifier: MIT */
#include "load/twins.h"

#include <assert.h>

#include "core/property.h"

/* The subscription that brought the message, or 0. */
static uint32_t subscription_of(const struct message *message)
{
    struct property_item item;
    return property_find(message->properties, PROPERTY_SUBSCRIPTION, &item) ? item.number : 0;
}

/* A copy has the same hash and another subscription identifier. Without an identifier nothing
 * tells a copy from a message that was published twice, and the message counts. */
bool twins_has(struct twins *twins, const struct message *message)
{
    uint32_t subscription = subscription_of(message);
    uint64_t hash = message_hash(message);

    assert(twins->at < TWINS_REMEMBERED);
    for (size_t i = 0; subscription != 0 && i < TWINS_REMEMBERED; i++) {
        if (twins->hashes[i] == hash && twins->subscriptions[i] != 0 &&
            twins->subscriptions[i] != subscription) {
            return true;
        }
    }
    twins->hashes[twins->at] = hash;
    twins->subscriptions[twins->at] = subscription;
    twins->at = (twins->at + 1) % TWINS_REMEMBERED;
    return false;
}

/* The identifier differs between copies and says nothing about the message: rows must not depend
 * on which copy came first. */
void twins_strip(const struct message *message, struct buf *properties)
{
    struct slice rest = message->properties;
    struct property_item item;

    while (property_next(&rest, &item)) {
        if (item.id != PROPERTY_SUBSCRIPTION) {
            property_append(properties, &item);
        }
    }
}
