/*
 * broker_place: tells the publisher which broker the receiver is connected to. The publisher uses
 * the same broker, because the devices that wait for acknowledgments are connected there.
 *
 * The receiver writes it, the publisher reads it. Zero-initialized memory means: the first URL, not
 * connected.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_BROKER_PLACE_H
#define MQTT2PG_MQTT_BROKER_PLACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct broker_place {
    atomic_size_t url; /* index of the URL in use, or used last */
    atomic_bool connected;
};

static inline void broker_place_connected(struct broker_place *place, size_t url)
{
    atomic_store(&place->url, url);
    atomic_store(&place->connected, true);
}

static inline void broker_place_left(struct broker_place *place)
{
    atomic_store(&place->connected, false);
}

#endif
