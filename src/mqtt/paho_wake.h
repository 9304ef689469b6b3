/*
 * paho_wake: has Paho look at a new connection's socket while its other connections are at rest.
 *
 * Paho's receive thread (1.3.12) polls the sockets that there were when its poll() of a second
 * began. A connection made meanwhile is seen when that ends, and again only a poll() later is its
 * CONNECT sent: with another connection at rest it takes two seconds (Socket_getReadySocket,
 * MQTTAsync_connecting). Whatever a broker sends over a connection at rest ends that poll(). So an
 * UNSUBSCRIBE goes out there for a filter that nobody has subscribed to: every broker answers it,
 * and it changes nothing.
 *
 * Any thread but Paho's: its lock, which callbacks hold, is taken within the mutex here.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_PAHO_WAKE_H
#define MQTT2PG_MQTT_PAHO_WAKE_H

#include <MQTTAsync.h>

/* Borrows the handle of a connection that was accepted, until paho_wake_remove(). More than
 * PAHO_WAKE_MAX are left out. */
#define PAHO_WAKE_MAX 8
void paho_wake_add(MQTTAsync handle);

/* Before the handle is destroyed. One that was never added is legal. */
void paho_wake_remove(MQTTAsync handle);

/* Does nothing without other connections. Returns at once; what it does shows a round trip later.
 */
void paho_wake(void);

#endif
