/*
 * paho_link: one connection to one broker over Paho C's MQTTAsync, made once, lost once, freed.
 * Used by receiver and publisher.
 *
 * Paho C 1.3.12 is used in the narrow way that is known to be sound (its source is quoted where it
 * matters; the rest was seen in experiments with Debian 12's build):
 *
 *   - Each connection has a handle of its own. Paho's memory of QoS 2 packet ids ends with the
 * handle. With an old handle, Paho would drop a message that was refused in the callback before,
 * and
 *     a message with an id that a broker uses again after a crash; mqtt/redelivery recognizes
 *     repeats instead. And after MQTTAsync_destroy() no callback of the old connection can come.
 *   - One handle, made by paho_init(), is never destroyed: Paho ends its threads with the last
 *     handle, and starting and ending races.
 *   - No automatic reconnect, no persistence, one URL, callbacks set before connect, the MQTT
 *     version always given.
 *   - Names are resolved here. Paho would resolve them while it holds the lock that all its
 *     callbacks need, and would try one address only. A plain connection is made to a numeric
 *     address. TLS and WebSocket need the host name for the certificate, SNI and the Host header,
 *     so Paho gets the name, and mqtt/paho_address gives it the address for that name.
 *   - Callbacks run in Paho's threads with its one lock held; they may not call isConnected,
 *     destroy, set… (they would unlock it). Those here only take the link's mutex and note what
 *     happened; no function here calls Paho while it holds that mutex.
 *
 * Cutting. An MQTTAsync handle does not give out its socket. When the connection is made, all
 * sockets of the process that are connected to the broker's port are noted (descriptor and inode,
 * from /proc/self/fd), and paho_link_cut() shuts them all down. That also cuts the publisher's
 * connection to the same broker, which is harmless. The alternatives, to interpose a symbol or to
 * parse trace messages, are worse. After shutdown() Paho's write of PUBACK fails, and the broker
 * sees the end of the connection.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_PAHO_LINK_H
#define MQTT2PG_MQTT_PAHO_LINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/outcome.h"
#include "core/message.h"
#include "core/subscription.h"
#include "mqtt/broker_options.h"

struct paho_link;

/* Process-wide preparation, once; called by every paho_link_open(), but better early in main(),
 * because it changes the environment: takes away http_proxy, https_proxy (Paho would send MQTT
 * through them) and MQTT_C_CLIENT_TRACE… (it would write payloads to a file). */
void paho_init(void);

/* The broker's limits from CONNACK. A limit that CONNACK does not name has the standard's
 * default. */
struct paho_connack {
    bool session_present;
    int64_t session_expiry_s; /* -1: as asked */
    int keepalive_s;          /* -1: as asked */
    int receive_maximum;      /* QoS 1 and 2 messages that it takes before it answers one */
    int64_t packet_bytes_max; /* INT64_MAX: none */
    int qos_max;
    bool retain_available;
    bool identifiers_available;
    bool shared_available;
    bool wildcard_available;
    int topic_alias_max; /* -1: nothing said */
    /* CONNACK says that retained messages are available; that identifiers, shared and wildcard
     * subscriptions are. Each is the default and need not be said. */
    bool says_retain;
    bool says_subscriptions;
};

/* Why there is no connection. Decides how soon to try again. */
enum paho_refusal {
    /* No such host, no TCP connection, server unavailable: the broker's session is as it was. */
    PAHO_UNREACHABLE,
    /* No CONNACK came. CONNECT may have reached the broker and made a session there. */
    PAHO_NO_ANSWER,
    /* Credentials, client id, protocol version or certificate are refused, until somebody changes
     * something. */
    PAHO_DENIED,
};

enum paho_loss {
    PAHO_LOST,       /* no reason is known */
    PAHO_TAKEN_OVER, /* another client connected with our client id (0x8E) */
};

struct paho_link_options {
    const struct broker_options *broker; /* borrowed */
    const char *client_id;               /* borrowed */
    bool clean;                          /* the broker keeps no session */
    bool status; /* last will: "offline", retained, on broker->status_topic */
    int keepalive_s;
    int window; /* publications under way at most */
    /* Borrowed; true ends an attempt to connect, or a wait for SUBACK or UNSUBACK. May be NULL. */
    const atomic_bool *cancelled;
    /* Borrowed; monotonic: until then a cancelled wait for SUBACK or UNSUBACK goes on. Set before
     * `cancelled` becomes true. NULL: such a wait ends at once. */
    const _Atomic int64_t *answers_end_ms;

    /* The callbacks run in Paho's receive thread. Each of them may be NULL. */
    void *context;
    /* Before the first message; paho_link_connack() is filled. */
    void (*connected)(void *context, struct paho_link *link);
    /* When it returns, Paho acknowledges the message. */
    void (*arrived)(void *context, struct message *message);
    /* paho_link_up() is false from now on. */
    void (*lost)(void *context);
};

struct paho_failure {
    enum paho_refusal refusal;
    int code;           /* of CONNACK, MQTT 5 or 3.1.1; 0: there was none */
    bool closed;        /* the broker closed the connection instead of answering CONNECT */
    bool reached;       /* TCP works there */
    struct error error; /* words for a person */
};

/*
 * Tries one URL, at most `milliseconds`: all addresses of its host, one after the other, until
 * CONNECT goes to one of them. If not OUTCOME_OK, *link is NULL, and `failure` is about the first
 * address at which TCP works, else about the last one.
 */
enum outcome paho_link_open(struct paho_link **link, const struct paho_link_options *options,
                            const struct broker_address *address, int64_t milliseconds,
                            struct paho_failure *failure) MUST_CHECK;

/* Ends the connection (with DISCONNECT if it is up: the last will is not published) and frees
 * everything. No callback comes after it. NULL is legal. Not from a callback. */
void paho_link_close(struct paho_link *link);

/* Sends DISCONNECT after all queued packets were written; the broker keeps the session. Waits at
 * most `milliseconds`. */
void paho_link_disconnect(struct paho_link *link, int64_t milliseconds);

/* Shuts the socket down. Any thread; meant for the `arrived` callback. When no socket is known,
 * ends the process: there is no other way to keep PUBACK from leaving. */
void paho_link_cut(struct paho_link *link);

bool paho_link_up(struct paho_link *link);
enum paho_loss paho_link_loss(struct paho_link *link);

/* The reason code of the broker's DISCONNECT (MQTT 5); 0: there was none. */
int paho_link_dismissal(struct paho_link *link);

/* The reason code of the last PUBACK or PUBREC that refused a publication; 0: there was none. */
int paho_link_refusal(struct paho_link *link);

const struct paho_connack *paho_link_connack(const struct paho_link *link);

/* The answer to one entry of a SUBSCRIBE or UNSUBSCRIBE is the granted QoS, a reason code from 0x80
 * on, or PAHO_UNANSWERED when the connection ended before. */
#define PAHO_ENTRIES_MAX 100
#define PAHO_UNANSWERED (-1)

/* How long a broker may take to answer. */
#define PAHO_ANSWER_MS 30000

/* Subscribes `count` ≤ PAHO_ENTRIES_MAX filters, all under way at once, in small packets: brokers
 * limit the entries of a packet (AWS IoT: 8), and with MQTT 5 the identifier belongs to the packet,
 * so each filter has a packet of its own. Fills `codes` whatever the outcome. OUTCOME_RETRY: the
 * connection is lost or the broker did not answer within PAHO_ANSWER_MS: close the link. */
enum outcome paho_link_subscribe(struct paho_link *link, const struct subscription *const *list,
                                 size_t count, int *codes, struct error *error) MUST_CHECK;
enum outcome paho_link_unsubscribe(struct paho_link *link, const char *const *filters, size_t count,
                                   int *codes, struct error *error) MUST_CHECK;

struct publication {
    struct slice topic;
    struct slice payload;
    struct slice correlation_data; /* MQTT 5; empty = none */
    uint8_t qos;
    bool retain;
};

/* Hands a publication to Paho. OUTCOME_RETRY: the connection is lost. OUTCOME_REJECT: it can never
 * be published (topic, size). One thread. */
enum outcome paho_link_publish(struct paho_link *link, const struct publication *publication,
                               struct error *error) MUST_CHECK;

/* Waits until at most `under_way` publications are not confirmed. False when time ran out or the
 * connection is lost. */
bool paho_link_wait(struct paho_link *link, int under_way, int64_t milliseconds);

/* Has a publication failed since the link was opened in a way that another attempt may mend? */
bool paho_link_failed(struct paho_link *link);

/* "not authorized" and the like, for a CONNACK, SUBACK, PUBACK or DISCONNECT code of MQTT 5 or
 * 3.1.1. */
const char *paho_reason(int code);

#endif
