/*
 * outbox_thread: the half of an outbox that publishes; only outbox.c starts it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ACK_OUTBOX_THREAD_H
#define MQTT2PG_ACK_OUTBOX_THREAD_H

/* The thread; `context` is the struct outbox. */
void *outbox_main(void *context);

#endif
