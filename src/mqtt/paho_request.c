/*
 * Sends SUBSCRIBE, UNSUBSCRIBE and PUBLISH on a link, and counts the broker's answers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "core/topic.h"
#include "mqtt/paho_internal.h"

enum { FAILURE = 0x80, BINARY_BYTES_MAX = 65535 };

/* The most entries of one SUBSCRIBE (MQTT 3.1.1) or UNSUBSCRIBE. AWS IoT takes no more than 8. */
enum { PACKET_ENTRIES_MAX = 8 };

/* A wait for answers consists of steps, so that cancelling is noticed. */
enum { WAIT_STEP_MS = 100 };

/* MQTT 5.0, section 2.1.4; Paho takes an int for the payload. */
#define PACKET_BYTES_MAX INT64_C(268435455)

/* --- answers, in Paho's thread ---------------------------------------------------------------- */

static void answered(struct paho_request *request, const int *codes, size_t count, int code)
{
    struct paho_link *link = request->link;
    pthread_mutex_lock(&link->mutex);
    for (size_t i = 0; i < request->count; i++) {
        link->codes[request->first + i] = codes != NULL && i < count ? codes[i] : code;
    }
    link->pending--;
    pthread_cond_broadcast(&link->cond);
    pthread_mutex_unlock(&link->mutex);
}

/* With several filters the granted QoS values and the refusals are in an array. */
static void on_subscribed(void *context, MQTTAsync_successData *data)
{
    struct paho_request *request = context;
    if (request->count > 1) {
        answered(request, data->alt.qosList, request->count, FAILURE);
    } else {
        answered(request, NULL, 0, data->alt.qos);
    }
}

static void on_subscribed5(void *context, MQTTAsync_successData5 *data)
{
    answered(context, NULL, 0, (int) data->reasonCode);
}

static void on_unsubscribed(void *context, MQTTAsync_successData *data)
{
    (void) data;
    answered(context, NULL, 0, 0);
}

static void on_unsubscribed5(void *context, MQTTAsync_successData5 *data)
{
    (void) data;
    answered(context, NULL, 0, 0);
}

/* A code from 0x80 on is the broker's; any other is Paho's, for a connection that ended. */
static void on_refused(void *context, MQTTAsync_failureData *data)
{
    answered(context, NULL, 0, data->code >= FAILURE ? data->code : PAHO_UNANSWERED);
}

static void on_refused5(void *context, MQTTAsync_failureData5 *data)
{
    int code = (int) data->reasonCode;
    answered(context, NULL, 0, code >= FAILURE ? code : PAHO_UNANSWERED);
}

/* Takes a publication out of its link's list and frees it. Under the link's mutex. */
static void publication_free(struct paho_link *link, const struct paho_publication *publication)
{
    struct paho_publication **from = &link->publications;
    while (*from != NULL && *from != publication) {
        from = &(*from)->next;
    }
    if (*from != NULL) {
        struct paho_publication *found = *from;
        *from = found->next;
        free(found);
        link->under_way--;
    }
    assert(link->under_way >= 0);
}

/* `refusal`: the broker's reason code, from 0x80; else 0. */
static void published(struct paho_publication *publication, bool again, int refusal)
{
    struct paho_link *link = publication->link;
    paho_sockets_acknowledge(&link->own);
    pthread_mutex_lock(&link->mutex);
    publication_free(link, publication);
    link->failed = link->failed || again;
    link->refusal = refusal != 0 ? refusal : link->refusal;
    if (link->under_way <= link->awaited) {
        pthread_cond_broadcast(&link->cond);
    }
    pthread_mutex_unlock(&link->mutex);
}

static void on_published(void *context, MQTTAsync_successData *data)
{
    (void) data;
    published(context, false, 0);
}

static void on_published5(void *context, MQTTAsync_successData5 *data)
{
    (void) data;
    published(context, false, 0);
}

static void on_not_published(void *context, MQTTAsync_failureData *data)
{
    (void) data;
    published(context, true, 0);
}

/* A reason code comes from the broker's PUBACK. The broker will refuse the same publication again,
 * unless the code is about a quota. */
static void on_not_published5(void *context, MQTTAsync_failureData5 *data)
{
    const struct paho_publication *publication = context;
    int code = (int) data->reasonCode;
    bool again = code < FAILURE || code == MQTTREASONCODE_QUOTA_EXCEEDED;
    if (!again) {
        log_warn("broker refused a publication", F_TEXT("topic", publication->topic),
                 F_TEXT("reason", paho_reason(code)));
    }
    published(context, again, again ? 0 : code);
}

void paho_publications_free(struct paho_link *link)
{
    while (link->publications != NULL) {
        publication_free(link, link->publications);
    }
    assert(link->under_way == 0);
}

/* --- requests --------------------------------------------------------------------------------- */

static struct paho_request *request_new(struct paho_link *link, size_t first, size_t count)
{
    assert(count > 0 && first + count <= PAHO_ENTRIES_MAX);
    struct paho_request *request = &link->requests[first];
    pthread_mutex_lock(&link->mutex);
    *request = (struct paho_request){link, first, count};
    for (size_t i = 0; i < count; i++) {
        link->codes[first + i] = PAHO_UNANSWERED;
    }
    link->pending++;
    pthread_mutex_unlock(&link->mutex);
    return request;
}

/* Is it too late to wait for answers? */
static bool is_given_up(const struct paho_link *link)
{
    const _Atomic int64_t *end_ms = link->options.answers_end_ms;

    return paho_link_cancelled(link) &&
           (end_ms == NULL || clock_monotonic_ms() >= atomic_load(end_ms));
}

/* Waits until all requests are answered and copies the codes. */
static enum outcome wait_answers(struct paho_link *link, int *codes, size_t count,
                                 struct error *error)
{
    int64_t end_ms = clock_monotonic_ms() + PAHO_ANSWER_MS;
    pthread_mutex_lock(&link->mutex);
    int64_t left_ms = PAHO_ANSWER_MS;
    while (link->pending > 0 && link->up && left_ms > 0 && !is_given_up(link)) {
        thread_cond_wait(&link->cond, &link->mutex,
                         left_ms < WAIT_STEP_MS ? left_ms : WAIT_STEP_MS);
        left_ms = end_ms - clock_monotonic_ms();
    }
    bool good = link->pending == 0;
    for (size_t i = 0; i < count; i++) {
        good = good && link->codes[i] != PAHO_UNANSWERED;
        codes[i] = link->codes[i];
    }
    bool up = link->up;
    pthread_mutex_unlock(&link->mutex);
    if (good) {
        return OUTCOME_OK;
    }
    return error_set(error, OUTCOME_RETRY, "%s", up ? "broker does not answer" : "connection lost");
}

static enum outcome not_sent(int code, struct error *error)
{
    return error_set(error, OUTCOME_RETRY, "could not send: %s", MQTTAsync_strerror(code));
}

static int subscribe_one(struct paho_link *link, const struct subscription *subscription,
                         struct paho_request *request)
{
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.context = request;
    options.onSuccess5 = on_subscribed5;
    options.onFailure5 = on_refused5;
    options.subscribeOptions.retainHandling = (unsigned char) subscription->retain_handling;
    if (subscription->identifier != 0 && link->connack.identifiers_available) {
        MQTTProperty number = {.identifier = MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER,
                               .value.integer4 = subscription->identifier};
        MQTTProperties_add(&options.properties, &number);
    }
    int code = MQTTAsync_subscribe(link->handle, subscription->filter, subscription->qos, &options);
    MQTTProperties_free(&options.properties);
    return code;
}

static int subscribe_many(struct paho_link *link, const struct subscription *const *list,
                          size_t count, struct paho_request *request)
{
    char *filters[PACKET_ENTRIES_MAX];
    int qos[PACKET_ENTRIES_MAX];
    assert(count <= PACKET_ENTRIES_MAX);
    for (size_t i = 0; i < count; i++) {
        filters[i] = list[i]->filter;
        qos[i] = list[i]->qos;
    }
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.context = request;
    options.onSuccess = on_subscribed;
    options.onFailure = on_refused;
    return MQTTAsync_subscribeMany(link->handle, (int) count, filters, qos, &options);
}

/* How many filters go into one packet. */
static size_t packet_entries(const struct paho_link *link, size_t left)
{
    size_t max = link->options.broker->mqtt5 ? 1 : PACKET_ENTRIES_MAX;
    assert(left > 0);
    return left < max ? left : max;
}

enum outcome paho_link_subscribe(struct paho_link *link, const struct subscription *const *list,
                                 size_t count, int *codes, struct error *error)
{
    assert(count > 0 && count <= PAHO_ENTRIES_MAX);
    for (size_t i = 0; i < count; i++) {
        codes[i] = PAHO_UNANSWERED;
    }
    int code = MQTTASYNC_SUCCESS;
    for (size_t at = 0; at < count && code == MQTTASYNC_SUCCESS;) {
        size_t entries = packet_entries(link, count - at);
        struct paho_request *request = request_new(link, at, entries);
        code = link->options.broker->mqtt5 ? subscribe_one(link, list[at], request)
                                           : subscribe_many(link, list + at, entries, request);
        at += entries;
    }
    return code == MQTTASYNC_SUCCESS ? wait_answers(link, codes, count, error)
                                     : not_sent(code, error);
}

static int unsubscribe_many(struct paho_link *link, const char *const *filters, size_t count,
                            struct paho_request *request)
{
    char *borrowed[PACKET_ENTRIES_MAX];
    assert(count > 0 && count <= PACKET_ENTRIES_MAX);
    memcpy(borrowed, filters, count * sizeof(borrowed[0]));
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.context = request;
    if (link->options.broker->mqtt5) {
        options.onSuccess5 = on_unsubscribed5;
        options.onFailure5 = on_refused5;
    } else {
        options.onSuccess = on_unsubscribed;
        options.onFailure = on_refused;
    }
    return MQTTAsync_unsubscribeMany(link->handle, (int) count, borrowed, &options);
}

enum outcome paho_link_unsubscribe(struct paho_link *link, const char *const *filters, size_t count,
                                   int *codes, struct error *error)
{
    assert(count > 0 && count <= PAHO_ENTRIES_MAX);
    for (size_t i = 0; i < count; i++) {
        codes[i] = PAHO_UNANSWERED;
    }
    int code = MQTTASYNC_SUCCESS;
    for (size_t at = 0; at < count && code == MQTTASYNC_SUCCESS; at += PACKET_ENTRIES_MAX) {
        size_t entries = count - at < PACKET_ENTRIES_MAX ? count - at : PACKET_ENTRIES_MAX;
        code = unsubscribe_many(link, filters + at, entries, request_new(link, at, entries));
    }
    return code == MQTTASYNC_SUCCESS ? wait_answers(link, codes, count, error)
                                     : not_sent(code, error);
}

/* --- publishing ------------------------------------------------------------------------------- */

/* At least the packet's size: fixed header, topic, packet id and properties. */
static int64_t packet_size(const struct publication *publication)
{
    return 20 + (int64_t) publication->topic.length + (int64_t) publication->payload.length +
           (int64_t) publication->correlation_data.length;
}

/* A publication under way. */
static struct paho_publication *publication_new(struct paho_link *link, struct slice topic)
{
    assert(topic.length > 0 && topic.length <= UINT16_MAX);
    struct paho_publication *made = memory_alloc(sizeof(*made) + topic.length + 1);
    made->link = link;
    memcpy(made->topic, topic.data, topic.length);
    pthread_mutex_lock(&link->mutex);
    made->next = link->publications;
    link->publications = made;
    link->under_way++;
    pthread_mutex_unlock(&link->mutex);
    return made;
}

/* Hands the publication to Paho. After a failure here Paho makes no callback for it. */
static int send_publication(struct paho_link *link, const struct publication *publication,
                            struct paho_publication *context)
{
    MQTTAsync_message message = MQTTAsync_message_initializer;
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    int qos_max = link->connack.qos_max;
    assert(publication->qos <= 2 && context->link == link);
    message.payload = (void *) (uintptr_t) publication->payload.data; /* Paho copies it */
    message.payloadlen = (int) publication->payload.length;
    message.qos = publication->qos > qos_max ? qos_max : publication->qos;
    message.retained = publication->retain && link->connack.retain_available;
    options.context = context;
    if (link->options.broker->mqtt5) {
        options.onSuccess5 = on_published5;
        options.onFailure5 = on_not_published5;
        if (publication->correlation_data.length > 0) {
            MQTTProperty property = {.identifier = MQTTPROPERTY_CODE_CORRELATION_DATA};
            property.value.data.data = (char *) (uintptr_t) publication->correlation_data.data;
            property.value.data.len = (int) publication->correlation_data.length;
            MQTTProperties_add(&message.properties, &property);
        }
    } else {
        options.onSuccess = on_published;
        options.onFailure = on_not_published;
    }
    int code = MQTTAsync_sendMessage(link->handle, context->topic, &message, &options);
    MQTTProperties_free(&message.properties);
    return code;
}

enum outcome paho_link_publish(struct paho_link *link, const struct publication *publication,
                               struct error *error)
{
    if (!topic_is_publishable(publication->topic)) {
        return error_set(error, OUTCOME_REJECT, "no topic that can be published to");
    }
    int64_t size = packet_size(publication);
    if (size > link->connack.packet_bytes_max || size > PACKET_BYTES_MAX ||
        publication->correlation_data.length > BINARY_BYTES_MAX) {
        return error_set(error, OUTCOME_REJECT, "larger than the broker's largest packet");
    }
    struct paho_publication *context = publication_new(link, publication->topic);
    int code = send_publication(link, publication, context);
    if (code == MQTTASYNC_SUCCESS) {
        return OUTCOME_OK;
    }
    pthread_mutex_lock(&link->mutex);
    publication_free(link, context);
    pthread_mutex_unlock(&link->mutex);
    if (code == MQTTASYNC_BAD_UTF8_STRING) {
        return error_set(error, OUTCOME_REJECT, "topic is not what Paho takes for UTF-8");
    }
    return not_sent(code, error);
}

bool paho_link_wait(struct paho_link *link, int under_way, int64_t milliseconds)
{
    int64_t end_ms = clock_monotonic_ms() + milliseconds;
    pthread_mutex_lock(&link->mutex);
    int64_t left_ms = milliseconds;
    link->awaited = under_way;
    while (link->under_way > under_way && link->up && left_ms > 0) {
        thread_cond_wait(&link->cond, &link->mutex, left_ms);
        left_ms = end_ms - clock_monotonic_ms();
    }
    assert(link->under_way >= 0);
    bool good = link->under_way <= under_way && link->up;
    pthread_mutex_unlock(&link->mutex);
    return good;
}

bool paho_link_failed(struct paho_link *link)
{
    pthread_mutex_lock(&link->mutex);
    bool failed = link->failed;
    pthread_mutex_unlock(&link->mutex);
    return failed;
}

int paho_link_refusal(struct paho_link *link)
{
    pthread_mutex_lock(&link->mutex);
    int code = link->refusal;
    pthread_mutex_unlock(&link->mutex);
    return code;
}
