/*
 * paho_internal: the struct of a connection, shared by paho_link.c (its life), paho_connect.c
 * (CONNECT and CONNACK), paho_explain.c (why there is none), paho_request.c (packets on it) and
 * paho_message.c (what arrives); nobody else includes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_PAHO_INTERNAL_H
#define MQTT2PG_MQTT_PAHO_INTERNAL_H

#include <MQTTAsync.h>
#include <pthread.h>

#include "base/buf.h"
#include "mqtt/broker_secrets.h"
#include "mqtt/paho_address.h"
#include "mqtt/paho_link.h"
#include "mqtt/paho_socket.h"
#include "mqtt/tls_probe.h"

/* One SUBSCRIBE or UNSUBSCRIBE under way: the context of its callbacks. */
struct paho_request {
    struct paho_link *link;
    size_t first; /* its first entry in link->codes */
    size_t count; /* of entries */
};

/* One PUBLISH under way: the context of its callbacks. */
struct paho_publication {
    struct paho_link *link;
    struct paho_publication *next; /* in link->publications */
    char topic[];                  /* with a NUL behind it */
};

/*
 * Invariants
 *   1. everything from `mutex` on is guarded by it;
 *   2. no function of Paho is called while it is held;
 *   3. besides Paho's threads only one thread uses the link, except for paho_link_cut();
 *   4. `publications` has `under_way` entries. A callback takes its entry out, and does nothing
 *      when the entry is gone already. Entries that Paho drops in MQTTAsync_destroy() are freed
 *      after it.
 */
struct paho_link {
    struct paho_link_options options; /* `broker` points to `secrets` */
    struct broker_secrets secrets;
    MQTTAsync handle;
    char numeric[PAHO_ADDRESS_TEXT]; /* the address that the connection goes to */
    struct paho_pin pin;             /* while Paho connects by name, makes it take that address */
    int port;
    struct paho_connack connack; /* written before `up`, never again */
    struct paho_sockets before;  /* sockets to the broker's port before it connected */
    struct paho_sockets sockets; /* likewise, when it was accepted; written before `up` */
    /* in `sockets` and not in `before`: the link's own, rarely another one too */
    struct paho_sockets own;
    int kept;              /* paho_socket_keep(); -1: none, also with TLS and WebSocket */
    bool plain;            /* neither TLS nor WebSocket */
    struct buf properties; /* of the message that arrives: Paho's receive thread only */
    char tls_error[200];   /* Paho's threads until `answered` */
    unsigned char alpn[TLS_ALPN_MAX];
    unsigned alpn_length;

    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool answered; /* the attempt has ended */
    bool accepted; /* the attempt has ended with success */
    bool up;
    bool failed; /* a publication that must be published again */
    enum paho_loss loss;
    int connect_code;
    char connect_message[200];
    int dismissal; /* reason code of the broker's DISCONNECT */
    int refusal;   /* reason code of the last publication that the broker refused */
    struct paho_publication *publications; /* owned */
    int under_way;                         /* publications not confirmed */
    int awaited; /* paho_link_wait() is woken when at most so many are under way */
    bool disconnected;
    size_t pending; /* requests not answered */
    struct paho_request requests[PAHO_ENTRIES_MAX];
    int codes[PAHO_ENTRIES_MAX];
};

static inline bool paho_link_cancelled_by(const struct paho_link_options *options)
{
    return options->cancelled != NULL && atomic_load(options->cancelled);
}

static inline bool paho_link_cancelled(const struct paho_link *link)
{
    return paho_link_cancelled_by(&link->options);
}

/* Frees the publications whose callbacks never came. Called when no callback can come any more. */
void paho_publications_free(struct paho_link *link);

/* Calls MQTTAsync_connect(); its callbacks end the attempt (`answered`). Returns Paho's code. */
int paho_connect_start(struct paho_link *link, bool with_tls, int64_t milliseconds);

/* Fills `failure` after an attempt whose handle does not exist any more. Returns its outcome. */
enum outcome paho_explain(const struct paho_link *link, const struct broker_address *address,
                          struct paho_failure *failure);

/* Paho's messageArrived; the context is the link. */
int paho_on_message(void *context, char *topic, int topic_length, MQTTAsync_message *paho);

#endif
