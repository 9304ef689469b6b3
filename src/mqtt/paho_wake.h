/*
 * paho_wake: makes Paho look at a new connection's socket at once while its other connections are
 * idle.
 *
 * Paho's receive thread (1.3.12) calls poll() for a second on the sockets that exist at that
 * moment. It notices a new connection only at the end of that second, and sends its CONNECT only
 * after one more poll(). So while the other connections are idle, connecting takes two seconds
 * (Socket_getReadySocket, MQTTAsync_connecting). Any packet on an idle connection ends the poll().
 * So this module sends an UNSUBSCRIBE there, for a filter that nobody has subscribed to: every
 * broker answers it, and it changes nothing.
 *
 * Not to be called in Paho's threads: their callbacks hold Paho's lock, which these functions take
 * inside their own mutex.
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

/* To be called before the handle is destroyed. A handle that was never added is legal. */
void paho_wake_remove(MQTTAsync handle);

/* Does nothing without other connections. Returns at once; takes effect a round trip later. */
void paho_wake(void);

#endif
