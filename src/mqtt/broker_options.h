/*
 * broker_options: how to reach the broker, for the receiving and the publishing connection.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_BROKER_OPTIONS_H
#define MQTT2PG_MQTT_BROKER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All pointers borrowed from the configuration. */
struct broker_options {
    /* "mqtt://host:port", "mqtts://…", "ws://…/path": tried in turn; broker_address_parse() accepts
     * each. */
    const char *const *urls;
    size_t url_count; /* at least 1 */
    const char *client_id;
    bool mqtt5;                /* else 3.1.1 */
    const char *username;      /* NULL = none */
    const char *password;      /* NULL = none */
    const char *password_file; /* NULL = none; read again at each attempt (mqtt/broker_secrets.h) */
    int64_t keepalive_ms;
    int64_t session_expiry_ms; /* MQTT 5 */
    int receive_maximum;       /* MQTT 5, 1 … 65,535 */
    int64_t max_packet_bytes;  /* MQTT 5 */
    const char *status_topic;  /* "" = none; {client_id} already replaced */
    struct {
        const char *ca_file;           /* NULL = the system's */
        const char *cert_file;         /* NULL = no client certificate */
        const char *key_file;          /* NULL = in cert_file */
        const char *key_password;      /* NULL = none */
        const char *key_password_file; /* NULL = none; read again at each attempt */
        const char *alpn; /* NULL or "" = none; names of protocols, with commas between */
        bool verify;      /* certificate and host name */
    } tls;
};

/* The parts of a URL: host (IPv6 without brackets), port, TLS, WebSocket, path. The parser returns
 * false with a reason (unknown scheme, no host, bad port, a user name, a path where it has no
 * meaning). Default ports 1883, 8883, and 80, 443 for ws:// and wss://, whose path is "/mqtt" when
 * none is given. tcp://, ssl:// and tls:// mean the same as mqtt:// and mqtts://. */
struct broker_address {
    char host[256];
    int port;
    bool tls;
    bool websocket;
    char path[256]; /* with its "/"; "" without WebSocket */
};
struct error;

/* Makes a client id that no other client has, "CLIENT_ID-WHAT-…", for a command that must not touch
 * the bridge's session. The caller frees it. */
char *broker_visitor_id(const struct broker_options *broker, const char *what);

bool broker_address_parse(const char *url, struct broker_address *address, struct error *error);

#endif
