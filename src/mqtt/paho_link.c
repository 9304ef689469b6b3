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

#include <assert.h>
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

/* A wait for CONNACK consists of steps, so that cancelling is noticed. Each address of a host has
 * at least ATTEMPT_MS to answer. */
enum { WAIT_FIRST_MS = 10, WAIT_STEP_MS = 100, ATTEMPT_MS = 1000 };

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
    struct paho_link *link = context;
    log_warn("broker ended the connection", F_TEXT("reason", paho_reason((int) reason)));
    pthread_mutex_lock(&link->mutex);
    link->dismissal = (int) reason;
    pthread_mutex_unlock(&link->mutex);
    link_lost(context, reason == MQTTREASONCODE_SESSION_TAKEN_OVER ? PAHO_TAKEN_OVER : PAHO_LOST);
}

/* --- opening ---------------------------------------------------------------------------------- */

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

/* Waits for the answer to CONNECT. When none has come, the caller must destroy the handle. */
static void wait_answered(struct paho_link *link, int64_t milliseconds)
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
    pthread_mutex_unlock(&link->mutex);
}

static struct paho_link *link_new(const struct paho_link_options *options, int port)
{
    struct paho_link *link = memory_alloc(sizeof(*link));
    assert(options->broker != NULL && options->client_id != NULL && options->window > 0);
    link->options = *options;
    link->port = port;
    link->kept = -1;
    pthread_mutex_init(&link->mutex, NULL);
    thread_cond_init(&link->cond);
    return link;
}

/* The URI in Paho's form: "tcp://host:port", "wss://host:port/path". */
static char *uri_of(const struct broker_address *address, const char *numeric)
{
    static const char *const schemes[2][2] = {{"tcp", "ssl"}, {"ws", "wss"}};
    /* TLS needs the host name for the certificate, WebSocket for the Host header. */
    const char *host = address->tls || address->websocket ? address->host : numeric;
    bool brackets = strchr(host, ':') != NULL;
    assert(address->port >= 1 && address->port <= 65535);
    assert(address->websocket == (address->path[0] != '\0'));
    return memory_printf("%s://%s%s%s:%d%s", schemes[address->websocket][address->tls],
                         brackets ? "[" : "", host, brackets ? "]" : "", address->port,
                         address->path);
}

static enum outcome not_started(int code, struct paho_failure *failure)
{
    failure->refusal = PAHO_DENIED;
    return error_set(&failure->error, OUTCOME_RETRY, "could not start connecting: %s",
                     MQTTAsync_strerror(code));
}

/* Tries the address link->numeric. If not OUTCOME_OK, the handle is destroyed. */
static enum outcome connect_one(struct paho_link *link, const struct broker_address *address,
                                int64_t milliseconds, struct paho_failure *failure)
{
    if (broker_secrets_init(&link->secrets, link->options.broker, &failure->error) != OUTCOME_OK) {
        failure->refusal = PAHO_DENIED;
        return OUTCOME_RETRY;
    }
    link->options.broker = &link->secrets.options;
    assert(link->handle == NULL && link->numeric[0] != '\0');
    char *uri = uri_of(address, link->numeric);
    link->plain = !address->tls && !address->websocket;
    link->pin = (struct paho_pin){.host = address->host, .numeric = link->numeric};
    paho_sockets_find(&link->before, link->port);
    int code = make_handle(link, uri);
    free(uri);
    if (code != MQTTASYNC_SUCCESS) {
        return not_started(code, failure);
    }
    if (!link->plain) { /* else the URI has the number already */
        paho_pin_add(&link->pin);
    }
    code = paho_connect_start(link, address->tls, milliseconds);
    if (code == MQTTASYNC_SUCCESS) {
        wait_answered(link, milliseconds);
    }
    if (!link->accepted) {
        MQTTAsync_destroy(&link->handle);
    }
    if (!link->plain) {
        paho_pin_remove(&link->pin); /* Paho does not look the name up any more */
    }
    if (link->accepted) { /* the connection may be lost again already; the caller will notice */
        paho_wake_add(link->handle);
        return OUTCOME_OK;
    }
    return code == MQTTASYNC_SUCCESS ? paho_explain(link, address, failure)
                                     : not_started(code, failure);
}

/* Is it useless to try the host's other addresses? Yes, when CONNECT was sent to this one. */
static bool is_final(const struct paho_failure *failure)
{
    return failure->refusal == PAHO_NO_ANSWER || failure->code != 0;
}

enum outcome paho_link_open(struct paho_link **link, const struct paho_link_options *options,
                            const struct broker_address *address, int64_t milliseconds,
                            struct paho_failure *failure)
{
    struct paho_addresses addresses;
    int64_t end_ms = clock_monotonic_ms() + milliseconds;
    paho_init();
    *link = NULL;
    *failure = (struct paho_failure){.refusal = PAHO_UNREACHABLE};
    enum outcome outcome = paho_resolve(address->host, address->port, &addresses, &failure->error);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    assert(addresses.count > 0);
    for (size_t i = 0; i < addresses.count; i++) {
        int64_t left_ms = (end_ms - clock_monotonic_ms()) / (int64_t) (addresses.count - i);
        struct paho_failure tried = {.refusal = PAHO_UNREACHABLE};
        struct paho_link *made = link_new(options, address->port);
        snprintf(made->numeric, sizeof(made->numeric), "%s", addresses.list[i]);
        outcome = connect_one(made, address, left_ms > ATTEMPT_MS ? left_ms : ATTEMPT_MS, &tried);
        if (outcome == OUTCOME_OK) {
            *link = made;
            return OUTCOME_OK;
        }
        paho_link_close(made);
        if (!failure->reached) {
            *failure = tried;
        }
        if (is_final(&tried) || paho_link_cancelled_by(options)) {
            break;
        }
    }
    assert(*link == NULL);
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
    paho_publications_free(link);
    if (link->kept >= 0) {
        close(link->kept);
    }
    pthread_cond_destroy(&link->cond);
    pthread_mutex_destroy(&link->mutex);
    broker_secrets_fini(&link->secrets);
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
    assert(link->handle != NULL && milliseconds >= 0);
    if (MQTTAsync_disconnect(link->handle, &options) != MQTTASYNC_SUCCESS) {
        return; /* not connected, so no callback comes */
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

/* Logs the reason of a DISCONNECT that arrived and that Paho never read. */
static void hear_last_words(struct paho_link *link)
{
    pthread_mutex_lock(&link->mutex);
    bool deaf = !link->up && !link->disconnected && link->dismissal == 0;
    pthread_mutex_unlock(&link->mutex);
    int code = deaf ? paho_socket_dismissal(link->kept, &link->own) : 0;
    if (code >= MQTTREASONCODE_UNSPECIFIED_ERROR) {
        log_warn("broker ended the connection", F_TEXT("reason", paho_reason(code)));
        pthread_mutex_lock(&link->mutex);
        link->dismissal = code;
        link->loss = code == MQTTREASONCODE_SESSION_TAKEN_OVER ? PAHO_TAKEN_OVER : link->loss;
        pthread_mutex_unlock(&link->mutex);
    }
}

enum paho_loss paho_link_loss(struct paho_link *link)
{
    hear_last_words(link);
    pthread_mutex_lock(&link->mutex);
    enum paho_loss loss = link->loss;
    pthread_mutex_unlock(&link->mutex);
    return loss;
}

int paho_link_dismissal(struct paho_link *link)
{
    hear_last_words(link);
    pthread_mutex_lock(&link->mutex);
    int code = link->dismissal;
    pthread_mutex_unlock(&link->mutex);
    return code;
}

const struct paho_connack *paho_link_connack(const struct paho_link *link)
{
    return &link->connack;
}
