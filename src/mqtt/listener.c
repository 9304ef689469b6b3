/* SPDX-License-Identifier: MIT */
#include "mqtt/listener.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"

enum { QUEUE_BYTES_MAX = 32 << 20, CONNECT_MS = 10000, REFUSED = 0x80 };

/* A message and its bytes, topic first. */
struct entry {
    struct entry *next;
    struct message message;
    char bytes[];
};

struct listener {
    struct paho_link *link;
    pthread_mutex_t mutex; /* the queue, from Paho's thread to ours */
    pthread_cond_t cond;
    struct entry *first, **end;
    size_t queued_bytes;
    uint64_t dropped;
    struct entry *taken; /* the one that was handed out last */
};

/* In Paho's receive thread. */
static void on_arrived(void *context, struct message *message)
{
    struct listener *listener = context;
    size_t length = message->topic.length + message->payload.length;
    pthread_mutex_lock(&listener->mutex);
    if (listener->queued_bytes + length + sizeof(struct entry) > QUEUE_BYTES_MAX) {
        listener->dropped++;
    } else {
        struct entry *entry = memory_alloc(sizeof(*entry) + length + 1);
        entry->message = *message;
        entry->message.properties = (struct slice){0};
        entry->message.topic = slice_make(entry->bytes, message->topic.length);
        entry->message.payload =
            slice_make(entry->bytes + message->topic.length, message->payload.length);
        memcpy(entry->bytes, message->topic.data, message->topic.length);
        if (message->payload.length > 0) {
            memcpy(entry->bytes + message->topic.length, message->payload.data,
                   message->payload.length);
        }
        assert(*listener->end == NULL);
        *listener->end = entry;
        listener->end = &entry->next;
        listener->queued_bytes += length + sizeof(struct entry);
        pthread_cond_signal(&listener->cond);
    }
    pthread_mutex_unlock(&listener->mutex);
}

static enum outcome subscribe(struct listener *listener, const char *filter, struct error *error)
{
    char *copy = memory_strdup(filter);
    const struct subscription subscription = {.filter = copy, .retain_handling = RETAIN_SEND};
    const struct subscription *list[] = {&subscription};
    int code = 0;
    enum outcome outcome = paho_link_subscribe(listener->link, list, 1, &code, error);
    if (outcome == OUTCOME_OK && code >= REFUSED) {
        outcome = error_set(error, OUTCOME_RETRY, "the broker refused to subscribe to %.200s: %s",
                            filter, paho_reason(code));
    }
    free(copy);
    return outcome;
}

static enum outcome connect_any(struct listener *listener, const struct broker_options *broker,
                                const char *client_id, struct error *error)
{
    const struct paho_link_options options = {.broker = broker,
                                              .client_id = client_id,
                                              .clean = true,
                                              .keepalive_s = (int) (broker->keepalive_ms / 1000),
                                              .window = 1,
                                              .context = listener,
                                              .arrived = on_arrived};
    enum outcome outcome = OUTCOME_RETRY;
    for (size_t i = 0; outcome != OUTCOME_OK && i < broker->url_count; i++) {
        struct broker_address address;
        struct paho_failure failure;
        if (!broker_address_parse(broker->urls[i], &address, error)) {
            continue;
        }
        outcome = paho_link_open(&listener->link, &options, &address, CONNECT_MS, &failure);
        if (outcome != OUTCOME_OK) {
            *error = failure.error;
            error_prefix(error, "%s:%d", address.host, address.port);
        }
    }
    return outcome;
}

enum outcome listener_open(struct listener **listener, const struct broker_options *broker,
                           const char *client_id, const char *filter, struct error *error)
{
    struct listener *made = memory_alloc(sizeof(*made));
    pthread_mutex_init(&made->mutex, NULL);
    thread_cond_init(&made->cond);
    made->end = &made->first;
    assert(filter[0] != '\0');
    enum outcome outcome = connect_any(made, broker, client_id, error);
    if (outcome == OUTCOME_OK) {
        outcome = subscribe(made, filter, error);
    }
    if (outcome != OUTCOME_OK) {
        listener_close(made);
        made = NULL;
    }
    *listener = made;
    return outcome;
}

void listener_close(struct listener *listener)
{
    if (listener == NULL) {
        return;
    }
    if (listener->link != NULL) {
        paho_link_disconnect(listener->link, 1000);
        paho_link_close(listener->link);
    }
    while (listener->first != NULL) {
        struct entry *next = listener->first->next;
        free(listener->first);
        listener->first = next;
    }
    free(listener->taken);
    pthread_cond_destroy(&listener->cond);
    pthread_mutex_destroy(&listener->mutex);
    free(listener);
}

bool listener_next(struct listener *listener, int64_t milliseconds, struct message *message)
{
    int64_t until_ms = clock_monotonic_ms() + milliseconds;
    bool in_time = true;
    free(listener->taken);
    pthread_mutex_lock(&listener->mutex);
    while (listener->first == NULL && in_time) {
        int64_t left_ms = until_ms - clock_monotonic_ms();
        in_time = left_ms > 0 && thread_cond_wait(&listener->cond, &listener->mutex, left_ms);
    }
    struct entry *entry = listener->first;
    if (entry != NULL) {
        listener->first = entry->next;
        listener->end = listener->first == NULL ? &listener->first : listener->end;
        assert(listener->queued_bytes >=
               entry->message.topic.length + entry->message.payload.length + sizeof(*entry));
        listener->queued_bytes -=
            entry->message.topic.length + entry->message.payload.length + sizeof(*entry);
        *message = entry->message;
    }
    assert((listener->first == NULL) == (listener->queued_bytes == 0));
    pthread_mutex_unlock(&listener->mutex);
    listener->taken = entry;
    return entry != NULL;
}

bool listener_is_up(struct listener *listener)
{
    return paho_link_up(listener->link);
}

uint64_t listener_dropped(struct listener *listener)
{
    pthread_mutex_lock(&listener->mutex);
    uint64_t dropped = listener->dropped;
    pthread_mutex_unlock(&listener->mutex);
    return dropped;
}
