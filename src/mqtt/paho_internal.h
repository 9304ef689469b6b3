/*
 * paho_internal: what paho_link.c (connection) and paho_request.c (packets on it) share; nobody
 * else includes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_PAHO_INTERNAL_H
#define MQTT2PG_MQTT_PAHO_INTERNAL_H

#include <MQTTAsync.h>
#include <pthread.h>

#include "base/buf.h"
#include "mqtt/paho_link.h"
#include "mqtt/paho_socket.h"

/* One SUBSCRIBE or UNSUBSCRIBE under way: the context of its callbacks. */
struct paho_request {
    struct paho_link *link;
    size_t first; /* its first entry in link->codes */
    size_t count; /* of entries */
};

/*
 * Invariants
 *   1. everything from `mutex` on is guarded by it;
 *   2. no function of Paho is called while it is held;
 *   3. one thread besides Paho's uses the link, except for paho_link_cut().
 */
struct paho_link {
    struct paho_link_options options;
    MQTTAsync handle;
    char numeric[PAHO_ADDRESS_TEXT]; /* the address that it went to */
    int port;
    struct paho_connack connack; /* written before `up`, never again */
    struct paho_sockets before;  /* sockets to the broker's port before it connected */
    struct paho_sockets sockets; /* likewise, when it was accepted; written before `up` */
    struct paho_sockets own;     /* what has come meanwhile: its own, seldom another one too */
    struct buf properties;       /* of the message that arrives: Paho's receive thread only */
    char tls_error[200];         /* Paho's threads until `answered` */

    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool answered; /* the attempt has ended */
    bool accepted; /* … well */
    bool up;
    bool failed; /* a publication that must be published again */
    enum paho_loss loss;
    int connect_code;
    char connect_message[200];
    int under_way; /* publications not confirmed */
    int awaited; /* whoever waits for confirmations wants to be woken when no more than these are under way */
    bool disconnected;
    size_t pending; /* requests not answered */
    struct paho_request requests[PAHO_ENTRIES_MAX];
    int codes[PAHO_ENTRIES_MAX];
};

static inline bool paho_link_cancelled(const struct paho_link *link)
{
    return link->options.cancelled != NULL && atomic_load(link->options.cancelled);
}

/* Paho's messageArrived; the context is the link. */
int paho_on_message(void *context, char *topic, int topic_length, MQTTAsync_message *paho);

#endif
