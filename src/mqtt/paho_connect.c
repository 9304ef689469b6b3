/*
 * paho_connect: sends CONNECT with a link's options and reads the broker's limits from CONNACK.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/thread.h"
#include "mqtt/paho_internal.h"
#include "mqtt/tls_probe.h"

/* The largest session expiry that Paho 1.3.12 encodes correctly: 0xFFFFFFFF ("never") goes out as
 * 255 seconds (upstream #1336). */
#define SESSION_EXPIRY_MAX INT64_C(0x7FFFFFFF)

/* MQTT 5.0, section 3.2.2.3.3. */
#define RECEIVE_MAXIMUM_DEFAULT 65535

/* --- CONNACK, in Paho's threads --------------------------------------------------------------- */

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

/* The broker accepted the connection. Runs before the first message arrives. */
static void accepted(struct paho_link *link)
{
    paho_sockets_find(&link->sockets, link->port);
    link->own = link->sockets;
    paho_sockets_remove(&link->own, &link->before);
    link->kept = link->plain ? paho_socket_keep(&link->own) : -1;
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
                                          .wildcard_available = true,
                                          .topic_alias_max = -1};
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
        .topic_alias_max = (int) connack_number(all, MQTTPROPERTY_CODE_TOPIC_ALIAS_MAXIMUM, -1),
        .says_retain = connack_number(all, MQTTPROPERTY_CODE_RETAIN_AVAILABLE, 0) == 1,
        .says_subscriptions =
            connack_number(all, MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIERS_AVAILABLE, 0) == 1 &&
            connack_number(all, MQTTPROPERTY_CODE_SHARED_SUBSCRIPTION_AVAILABLE, 0) == 1 &&
            connack_number(all, MQTTPROPERTY_CODE_WILDCARD_SUBSCRIPTION_AVAILABLE, 0) == 1,
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

/* --- CONNECT ---------------------------------------------------------------------------------- */

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
    assert(broker->receive_maximum <= UINT16_MAX);
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
    /* Without a password OpenSSL would ask at the terminal, and all of Paho would wait for the
     * answer. */
    tls->privateKeyPassword = broker->tls.key_password != NULL ? broker->tls.key_password : "";
    tls->enabledCipherSuites = TLS_CIPHERS;
    tls->enableServerCertAuth = broker->tls.verify;
    tls->verify = broker->tls.verify;
    tls->ssl_error_cb = on_tls_error;
    tls->ssl_error_context = link;
    link->alpn_length = (unsigned) tls_alpn(broker, link->alpn);
    assert(link->alpn_length <= sizeof(link->alpn));
    if (link->alpn_length > 0) { /* Paho keeps the pointer */
        tls->protos = link->alpn;
        tls->protos_len = link->alpn_length;
    }
}

/* Paho copies all that the options point to, except for tls.protos. */
int paho_connect_start(struct paho_link *link, bool with_tls, int64_t milliseconds)
{
    const struct broker_options *broker = link->options.broker;
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
    MQTTProperties properties = MQTTProperties_initializer;

    assert(link->handle != NULL && !link->answered);
    assert(link->options.keepalive_s >= 0 && link->options.keepalive_s <= UINT16_MAX);
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
        assert(broker->status_topic[0] != '\0');
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
