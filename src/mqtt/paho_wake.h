/*
 * paho_wake: has Paho look at a new connection's socket while its other connections are at rest.
 *
 * Paho's receive thread (1.3.12) calls poll() for a second on the sockets that exist at that
 * moment. It notices a connection that is made meanwhile at the end of that second, and sends its
 * CONNECT only after one more poll(): when the other connections are at rest, connecting takes two
 * seconds (Socket_getReadySocket, MQTTAsync_connecting). Any packet on a connection at rest ends
 * the poll(). So this module sends an UNSUBSCRIBE there, for a filter that nobody has subscribed
 * to: every broker answers it, and it changes nothing.
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

/* Does nothing without other connections. Returns at once; takes effect a round trip later. */
void paho_wake(void);

#endif
