/* SPDX-License-Identifier: MIT */
#include "subscriber.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "sample.h"

enum { RECEIVE_MAXIMUM = 1000, KEEPALIVE_S = 30, SESSION_S = 7 * 24 * 3600, WAIT_S = 20 };

struct subscriber {
    MQTTAsync handle;
    subscriber_take *take;
    void *context;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int answered; /* requests */
    const char *failed;
};

static void answered(struct subscriber *subscriber, const char *failed)
{
    pthread_mutex_lock(&subscriber->mutex);
    subscriber->answered++;
    subscriber->failed = failed != NULL ? failed : subscriber->failed;
    pthread_cond_broadcast(&subscriber->changed);
    pthread_mutex_unlock(&subscriber->mutex);
}

static void on_success(void *context, MQTTAsync_successData5 *data)
{
    (void) data;
    answered(context, NULL);
}

static void on_failure(void *context, MQTTAsync_failureData5 *data)
{
    (void) data;
    answered(context, "the broker refused");
}

static void on_lost(void *context, char *cause)
{
    (void) context;
    (void) cause;
    die("subscriber: connection lost");
}

static int on_message(void *context, char *topic, int topic_length, MQTTAsync_message *message)
{
    struct subscriber *subscriber = context;
    (void) topic_length;
    subscriber->take(subscriber->context, message, topic);
    return 1;
}

static void wait_answer(struct subscriber *subscriber, int count, const char *what)
{
    struct timespec end;
    int code = 0;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += WAIT_S;
    pthread_mutex_lock(&subscriber->mutex);
    while (subscriber->answered < count && code == 0) {
        code = pthread_cond_timedwait(&subscriber->changed, &subscriber->mutex, &end);
    }
    if (subscriber->answered < count || subscriber->failed != NULL) {
        die("subscriber: %s: %s", what,
            subscriber->failed != NULL ? subscriber->failed : "no answer");
    }
    pthread_mutex_unlock(&subscriber->mutex);
}

static void connect_broker(struct subscriber *subscriber)
{
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer5;
    MQTTProperties properties = MQTTProperties_initializer;
    MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL,
                           .value.integer4 = SESSION_S};
    MQTTProperty maximum = {.identifier = MQTTPROPERTY_CODE_RECEIVE_MAXIMUM,
                            .value.integer2 = RECEIVE_MAXIMUM};

    MQTTProperties_add(&properties, &expiry);
    MQTTProperties_add(&properties, &maximum);
    options.cleanstart = 0;
    options.keepAliveInterval = KEEPALIVE_S;
    options.connectProperties = &properties;
    options.onSuccess5 = on_success;
    options.onFailure5 = on_failure;
    options.context = subscriber;
    if (MQTTAsync_connect(subscriber->handle, &options) != MQTTASYNC_SUCCESS) {
        die("subscriber: could not start connecting");
    }
    MQTTProperties_free(&properties);
    wait_answer(subscriber, 1, "CONNECT");
}

struct subscriber *subscriber_start(int port, const char *client_id, subscriber_take *take,
                                    void *context)
{
    struct subscriber *subscriber = calloc(1, sizeof(*subscriber));
    MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer5;
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    char uri[64];

    if (subscriber == NULL) {
        die("no memory");
    }
    subscriber->take = take;
    subscriber->context = context;
    pthread_mutex_init(&subscriber->mutex, NULL);
    pthread_cond_init(&subscriber->changed, NULL);
    snprintf(uri, sizeof(uri), "tcp://127.0.0.1:%d", port);
    if (MQTTAsync_createWithOptions(&subscriber->handle, uri, client_id,
                                    MQTTCLIENT_PERSISTENCE_NONE, NULL,
                                    &create) != MQTTASYNC_SUCCESS) {
        die("subscriber: could not make a client");
    }
    MQTTAsync_setCallbacks(subscriber->handle, subscriber, on_lost, on_message, NULL);
    connect_broker(subscriber);
    options.onSuccess5 = on_success;
    options.onFailure5 = on_failure;
    options.context = subscriber;
    if (MQTTAsync_subscribe(subscriber->handle, "fleet/+/telemetry", 1, &options) !=
        MQTTASYNC_SUCCESS) {
        die("subscriber: could not subscribe");
    }
    wait_answer(subscriber, 2, "SUBSCRIBE");
    return subscriber;
}

void subscriber_stop(struct subscriber *subscriber)
{
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer5;
    options.onSuccess5 = on_success;
    options.onFailure5 = on_failure;
    options.context = subscriber;
    options.timeout = 1000;
    if (MQTTAsync_disconnect(subscriber->handle, &options) == MQTTASYNC_SUCCESS) {
        wait_answer(subscriber, 3, "DISCONNECT");
    }
    MQTTAsync_destroy(&subscriber->handle);
    free(subscriber);
}
