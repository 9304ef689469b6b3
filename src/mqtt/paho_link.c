/*
 * The life of a link:
 *
 *   paho_link_open ── MQTTAsync_connect ──▶ on_success: connack, sockets, options.connected ──▶ up
 *                                      └──▶ on_failure: code, message ──▶ freed
 *   up ── connectionLost or DISCONNECT of the broker ──▶ not up, options.lost
 *   paho_link_close: MQTTAsync_destroy
 *
 * SPDX-License-Identifier: MIT
 */
#include "mqtt/paho_link.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "mqtt/paho_internal.h"
#include "mqtt/paho_wake.h"
#include "mqtt/tls_probe.h"

/* The largest that Paho 1.3.12 encodes right: 0xFFFFFFFF ("never") goes out as 255 seconds
 * (upstream #1336). */
#define SESSION_EXPIRY_MAX INT64_C(0x7FFFFFFF)

/* A wait for CONNACK is made of steps, so that cancelling is noticed; and TCP of a failed attempt
 * is looked at so long. */
/* MQTT 5.0, section 3.2.2.3.3. */
#define RECEIVE_MAXIMUM_DEFAULT 65535

enum { WAIT_FIRST_MS = 10, WAIT_STEP_MS = 100, PROBE_MS = 1000, TLS_PROBE_MS = 3000 };

/* --- connecting ------------------------------------------------------------------------------- */

static int64_t connack_number(MQTTProperties *properties, enum MQTTPropertyCodes id, int64_t absent)
{
    const MQTTProperty *property = MQTTProperties_getProperty(properties, id);
    if (property == NULL) {
        return absent;
    }
    switch (MQTTProperty_getType(id)) {
    case MQTTPROPERTY_TYPE_BYTE:
        return property->value.byte;
    case MQTTPROPERTY_TYPE_TWO_BYTE_INTEGER:
        return property->value.integer2;
    default:
        return property->value.integer4;
    }
}

/* The broker accepted. Nothing of a message was seen yet. */
static void accepted(struct paho_link *link)
{
    paho_sockets_find(&link->sockets, link->port);
    link->own = link->sockets;
    paho_sockets_remove(&link->own, &link->before);
    if (link->options.connected != NULL) {
        link->options.connected(link->options.context, link);
    }
    pthread_mutex_lock(&link->mutex);
    link->answered = true;
    link->accepted = true;
    link->up = true;
    pthread_cond_broadcast(&link->cond);
    pthread_mutex_unlock(&link->mutex);
}

static void on_connected(void *context, MQTTAsync_successData *data)
{
    struct paho_link *link = context;
    link->connack = (struct paho_connack){.session_present = data->alt.connect.sessionPresent != 0,
                                          .session_expiry_s = -1,
                                          .keepalive_s = -1,
                                          .packet_bytes_max = INT64_MAX,
                                          .qos_max = 2,
                                          .receive_maximum = RECEIVE_MAXIMUM_DEFAULT,
                                          .retain_available = true,
                                          .shared_available = true,
                                          .wildcard_available = true};
    accepted(link);
}

static void on_connected5(void *context, MQTTAsync_successData5 *data)
{
    struct paho_link *link = context;
    MQTTProperties *all = &data->properties;
    link->connack = (struct paho_connack){
        .session_present = data->alt.connect.sessionPresent != 0,
        .session_expiry_s = connack_number(all, MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, -1),
        .keepalive_s = (int) connack_number(all, MQTTPROPERTY_CODE_SERVER_KEEP_ALIVE, -1),
        .receive_maximum =
            (int) connack_number(all, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM, RECEIVE_MAXIMUM_DEFAULT),
        .packet_bytes_max = connack_number(all, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE, INT64_MAX),
        .qos_max = (int) connack_number(all, MQTTPROPERTY_CODE_MAXIMUM_QOS, 2),
        .retain_available = connack_number(all, MQTTPROPERTY_CODE_RETAIN_AVAILABLE, 1) != 0,
        .identifiers_available =
            connack_number(all, MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIERS_AVAILABLE, 1) != 0,
        .shared_available =
            connack_number(all, MQTTPROPERTY_CODE_SHARED_SUBSCRIPTION_AVAILABLE, 1) != 0,
        .wildcard_available =
            connack_number(all, MQTTPROPERTY_CODE_WILDCARD_SUBSCRIPTION_AVAILABLE, 1) != 0,
    };
    accepted(link);
}

static void refused(struct paho_link *link, int code, const char *message)
{
    pthread_mutex_lock(&link->mutex);
    link->answered = true;
    link->connect_code = code;
    snprintf(link->connect_message, sizeof(link->connect_message), "%s", message ? message : "");
    pthread_cond_broadcast(&link->cond);
    pthread_mutex_unlock(&link->mutex);
}

static void on_refused(void *context, MQTTAsync_failureData *data)
{
    refused(context, data->code, data->message);
}

/* The CONNACK code stands in `code` here; reasonCode stays 0. */
static void on_refused5(void *context, MQTTAsync_failureData5 *data)
{
    refused(context, data->code, data->message);
}

static int on_tls_error(const char *text, size_t length, void *context)
{
    struct paho_link *link = context;
    if (link->tls_error[0] == '\0') {
        snprintf(link->tls_error, sizeof(link->tls_error), "%.*s", (int) length, text);
        link->tls_error[strcspn(link->tls_error, "\r\n")] = '\0';
    }
    return 1;
}

/* --- losing ----------------------------------------------------------------------------------- */

static void link_lost(struct paho_link *link, enum paho_loss loss)
{
    pthread_mutex_lock(&link->mutex);
    link->up = false;
    link->loss = loss != PAHO_LOST ? loss : link->loss;
    pthread_cond_broadcast(&link->cond);
    pthread_mutex_unlock(&link->mutex);
    if (link->options.lost != NULL) {
        link->options.lost(link->options.context);
    }
}

static void on_lost(void *context, char *cause)
{
    (void) cause; /* always NULL */
    link_lost(context, PAHO_LOST);
}

/* DISCONNECT from the broker; Paho does not call on_lost() then. */
static void on_dismissed(void *context, MQTTProperties *properties, enum MQTTReasonCodes reason)
{
    (void) properties;
    log_warn("broker ended the connection", F_TEXT("reason", paho_reason((int) reason)));
    link_lost(context, reason == MQTTREASONCODE_SESSION_TAKEN_OVER ? PAHO_TAKEN_OVER : PAHO_LOST);
}

/* --- opening ---------------------------------------------------------------------------------- */

static void add_number(MQTTProperties *properties, enum MQTTPropertyCodes id, int64_t number)
{
    MQTTProperty property = {.identifier = id};
    if (MQTTProperty_getType(id) == MQTTPROPERTY_TYPE_TWO_BYTE_INTEGER) {
        property.value.integer2 = (unsigned short) number;
    } else {
        property.value.integer4 = (unsigned) number;
    }
    MQTTProperties_add(properties, &property);
}

static void add_connect_properties(MQTTProperties *properties, const struct paho_link *link)
{
    const struct broker_options *broker = link->options.broker;
    int64_t expiry_s = (broker->session_expiry_ms + 999) / 1000;
    if (!link->options.clean && expiry_s > 0) {
        add_number(properties, MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL,
                   expiry_s > SESSION_EXPIRY_MAX ? SESSION_EXPIRY_MAX : expiry_s);
    }
    if (broker->receive_maximum > 0) {
        add_number(properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM, broker->receive_maximum);
    }
    if (broker->max_packet_bytes > 0) {
        add_number(properties, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE,
                   broker->max_packet_bytes > UINT32_MAX ? UINT32_MAX : broker->max_packet_bytes);
    }
}

static void set_tls(MQTTAsync_SSLOptions *tls, struct paho_link *link)
{
    const struct broker_options *broker = link->options.broker;
    tls->trustStore = broker->tls.ca_file;
    tls->keyStore = broker->tls.cert_file;
    tls->privateKey = broker->tls.key_file;
    /* Without one OpenSSL would ask at the terminal, with all of Paho waiting for the answer. */
    tls->privateKeyPassword = broker->tls.key_password != NULL ? broker->tls.key_password : "";
    tls->enabledCipherSuites = TLS_CIPHERS;
    tls->enableServerCertAuth = broker->tls.verify;
    tls->verify = broker->tls.verify;
    tls->ssl_error_cb = on_tls_error;
    tls->ssl_error_context = link;
}

/* Paho copies all that the options point to. */
static int start_connecting(struct paho_link *link, bool with_tls, int64_t milliseconds)
{
    const struct broker_options *broker = link->options.broker;
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
    MQTTProperties properties = MQTTProperties_initializer;

    if (broker->mqtt5) {
        options = (MQTTAsync_connectOptions) MQTTAsync_connectOptions_initializer5;
        options.cleanstart = link->options.clean;
        options.onSuccess5 = on_connected5;
        options.onFailure5 = on_refused5;
        add_connect_properties(&properties, link);
        options.connectProperties = &properties;
    } else {
        options.cleansession = link->options.clean;
        options.onSuccess = on_connected;
        options.onFailure = on_refused;
        options.MQTTVersion = MQTTVERSION_3_1_1;
    }
    options.context = link;
    options.keepAliveInterval = link->options.keepalive_s;
    options.connectTimeout = (int) (milliseconds / 1000) + 1;
    options.username = broker->username;
    options.password = broker->password;
    if (link->options.status) {
        will.topicName = broker->status_topic;
        will.message = "offline";
        will.retained = 1;
        will.qos = 1;
        options.will = &will;
    }
    if (with_tls) {
        set_tls(&tls, link);
        options.ssl = &tls;
    }
    int code = MQTTAsync_connect(link->handle, &options);
    MQTTProperties_free(&properties);
    return code;
}

static int make_handle(struct paho_link *link, const char *uri)
{
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer;
    options.MQTTVersion = link->options.broker->mqtt5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    options.maxBufferedMessages = link->options.window + 10;
    int code = MQTTAsync_createWithOptions(&link->handle, uri, link->options.client_id,
                                           MQTTCLIENT_PERSISTENCE_NONE, NULL, &options);
    if (code == MQTTASYNC_SUCCESS) {
        MQTTAsync_setCallbacks(link->handle, link, on_lost, paho_on_message, NULL);
        MQTTAsync_setDisconnected(link->handle, link, on_dismissed);
    }
    return code;
}

/* Turns Paho's answer into words. Called when the handle does not exist any more. */
static enum outcome explain(struct paho_link *link, const struct broker_address *address,
                            bool answered, enum paho_refusal *refusal, struct error *error)
{
    int code = link->connect_code;
    *refusal = PAHO_UNREACHABLE;
    if (code > 0) {
        bool later = code == 3 || code == MQTTREASONCODE_SERVER_UNAVAILABLE ||
                     code == MQTTREASONCODE_SERVER_BUSY || code == MQTTREASONCODE_QUOTA_EXCEEDED ||
                     code == MQTTREASONCODE_CONNECTION_RATE_EXCEEDED;
        bool version = code == 1 || code == MQTTREASONCODE_UNSUPPORTED_PROTOCOL_VERSION;
        *refusal = later ? PAHO_UNREACHABLE : PAHO_DENIED;
        return error_set(
            error, OUTCOME_RETRY, "broker refused the connection: %s%s", paho_reason(code),
            version && link->options.broker->mqtt5 ? ": set protocol = \"3.1.1\"" : "");
    }
    /* Paho's words for a connection that did not get as far as CONNECT (MQTTAsyncUtils.c,
     * MQTTAsync_connecting). */
    bool sent = strcmp(link->connect_message, "TCP/TLS connect failure") != 0;
    *refusal = sent ? PAHO_NO_ANSWER : PAHO_UNREACHABLE;
    if (!address->tls && paho_probe(link->numeric, address->port, PROBE_MS, error) != OUTCOME_OK) {
        return error->outcome;
    }
    if (address->tls) {
        enum outcome outcome =
            tls_probe(link->options.broker, address, link->numeric, TLS_PROBE_MS, error);
        if (outcome == OUTCOME_OK && link->tls_error[0] != '\0') {
            outcome = error_set(error, OUTCOME_REJECT, "TLS: %s", link->tls_error);
        }
        if (outcome != OUTCOME_OK) {
            *refusal = outcome == OUTCOME_REJECT ? PAHO_DENIED : *refusal;
            error->outcome = OUTCOME_RETRY;
            return OUTCOME_RETRY;
        }
    }
    if (!answered) {
        return error_set(error, OUTCOME_RETRY, "broker at %s port %d did not answer CONNECT",
                         link->numeric, address->port);
    }
    return error_set(
        error, OUTCOME_RETRY, "broker at %s port %d closed the connection without an answer%s",
        link->numeric, address->port,
        link->options.broker->mqtt5 ? ": if it does not know MQTT 5, set protocol = \"3.1.1\""
                                    : "");
}

/* Waits for the answer to CONNECT; false when none came. */
static bool wait_answered(struct paho_link *link, int64_t milliseconds)
{
    int64_t end_ms = clock_monotonic_ms() + milliseconds;
    int64_t step_ms = WAIT_FIRST_MS;
    pthread_mutex_lock(&link->mutex);
    while (!link->answered && clock_monotonic_ms() < end_ms && !paho_link_cancelled(link)) {
        if (!thread_cond_wait(&link->cond, &link->mutex, step_ms)) {
            pthread_mutex_unlock(&link->mutex);
            paho_wake();
            pthread_mutex_lock(&link->mutex);
            step_ms = step_ms * 2 < WAIT_STEP_MS ? step_ms * 2 : WAIT_STEP_MS;
        }
    }
    bool answered = link->answered;
    pthread_mutex_unlock(&link->mutex);
    return answered;
}

static struct paho_link *link_new(const struct paho_link_options *options, int port)
{
    struct paho_link *link = memory_alloc(sizeof(*link));
    link->options = *options;
    link->port = port;
    pthread_mutex_init(&link->mutex, NULL);
    thread_cond_init(&link->cond);
    return link;
}

/* "tcp://host:port", "wss://host:port/path": as Paho wants it. */
static char *uri_of(const struct broker_address *address, const char *numeric)
{
    static const char *const schemes[2][2] = {{"tcp", "ssl"}, {"ws", "wss"}};
    /* A certificate and a virtual host of HTTP go by the name. */
    const char *host = address->tls || address->websocket ? address->host : numeric;
    bool brackets = strchr(host, ':') != NULL;
    return memory_printf("%s://%s%s%s:%d%s", schemes[address->websocket][address->tls],
                         brackets ? "[" : "", host, brackets ? "]" : "", address->port,
                         address->path);
}

enum outcome paho_link_open(struct paho_link **link, const struct paho_link_options *options,
                            const struct broker_address *address, unsigned attempt,
                            int64_t milliseconds, enum paho_refusal *refusal, struct error *error)
{
    paho_init();
    struct paho_link *made = link_new(options, address->port);
    char *uri = NULL;
    *link = NULL;
    *refusal = PAHO_UNREACHABLE;
    enum outcome outcome =
        paho_resolve(address->host, address->port, attempt, made->numeric, error);
    if (outcome != OUTCOME_OK) {
        goto fail;
    }
    uri = uri_of(address, made->numeric);
    paho_sockets_find(&made->before, made->port);
    int code = make_handle(made, uri);
    if (code == MQTTASYNC_SUCCESS) {
        code = start_connecting(made, address->tls, milliseconds);
    }
    if (code != MQTTASYNC_SUCCESS) {
        *refusal = PAHO_DENIED;
        outcome = error_set(error, OUTCOME_RETRY, "could not start connecting: %s",
                            MQTTAsync_strerror(code));
        goto fail;
    }
    bool answered = wait_answered(made, milliseconds);
    if (!answered ||
        !made->accepted) { /* may be lost again by now; that is for the caller to see */
        MQTTAsync_destroy(&made->handle);
        outcome = explain(made, address, answered, refusal, error);
        goto fail;
    }
    paho_wake_add(made->handle);
    *link = made;
    made = NULL;
fail:
    free(uri);
    paho_link_close(made);
    return outcome;
}

/* --- ending ----------------------------------------------------------------------------------- */

void paho_link_close(struct paho_link *link)
{
    if (link == NULL) {
        return;
    }
    if (link->handle != NULL) {
        paho_wake_remove(link->handle);
        MQTTAsync_destroy(&link->handle);
    }
    pthread_cond_destroy(&link->cond);
    pthread_mutex_destroy(&link->mutex);
    buf_fini(&link->properties);
    free(link);
}

static void disconnected(struct paho_link *link)
{
    pthread_mutex_lock(&link->mutex);
    link->disconnected = true;
    link->up = false;
    pthread_cond_broadcast(&link->cond);
    pthread_mutex_unlock(&link->mutex);
}

static void on_disconnected(void *context, MQTTAsync_successData *data)
{
    (void) data;
    disconnected(context);
}

static void on_disconnected5(void *context, MQTTAsync_successData5 *data)
{
    (void) data;
    disconnected(context);
}

void paho_link_disconnect(struct paho_link *link, int64_t milliseconds)
{
    /* No properties: sending them with publications under way is a use after free in 1.3.12. */
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
    if (link->options.broker->mqtt5) {
        options = (MQTTAsync_disconnectOptions) MQTTAsync_disconnectOptions_initializer5;
        options.onSuccess5 = on_disconnected5;
    } else {
        options.onSuccess = on_disconnected;
    }
    options.context = link;
    if (MQTTAsync_disconnect(link->handle, &options) != MQTTASYNC_SUCCESS) {
        return; /* it was not connected; no callback comes */
    }
    int64_t end_ms = clock_monotonic_ms() + milliseconds;
    pthread_mutex_lock(&link->mutex);
    int64_t left_ms = milliseconds;
    while (!link->disconnected && link->up && left_ms > 0) {
        thread_cond_wait(&link->cond, &link->mutex, left_ms);
        left_ms = end_ms - clock_monotonic_ms();
    }
    pthread_mutex_unlock(&link->mutex);
}

void paho_link_cut(struct paho_link *link)
{
    if (link->sockets.count == 0) {
        log_error("could not find the broker connection's socket, ending without acknowledging");
        _exit(1);
    }
    paho_sockets_shut(&link->sockets);
}

bool paho_link_up(struct paho_link *link)
{
    pthread_mutex_lock(&link->mutex);
    bool up = link->up;
    pthread_mutex_unlock(&link->mutex);
    return up;
}

enum paho_loss paho_link_loss(struct paho_link *link)
{
    pthread_mutex_lock(&link->mutex);
    enum paho_loss loss = link->loss;
    pthread_mutex_unlock(&link->mutex);
    return loss;
}

const struct paho_connack *paho_link_connack(const struct paho_link *link)
{
    return &link->connack;
}
