/*
 * counter: a Paho C subscriber that does nothing but count: the floor of the bridge's receiving
 * side.
 *
 *   counter --port P --client NAME --messages N [--trace 0]      N = 0 makes the session and goes
 *
 * Paho writes a trace of its calls into its memory unless it is told not to. This one leaves it as
 * it comes; --trace 0 tells it.
 *
 * Prints READY when subscribed, and one line of JSON when it has N messages.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "sample.h"
#include "subscriber.h"

struct counter {
    uint64_t wanted;
    uint64_t count; /* Paho's thread */
    int64_t first_us, last_us;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool done;
};

static void count(void *context, MQTTAsync_message *message, char *topic)
{
    struct counter *counter = context;
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    if (counter->count++ == 0) {
        counter->first_us = wall_us();
    }
    if (counter->count == counter->wanted) {
        counter->last_us = wall_us();
        pthread_mutex_lock(&counter->mutex);
        counter->done = true;
        pthread_cond_signal(&counter->changed);
        pthread_mutex_unlock(&counter->mutex);
    }
}

int main(int argc, char **argv)
{
    struct counter counter = {.wanted = (uint64_t) option_number(argc, argv, "messages", 0),
                              .mutex = PTHREAD_MUTEX_INITIALIZER,
                              .changed = PTHREAD_COND_INITIALIZER};
    if (option_number(argc, argv, "trace", 1) == 0) {
        MQTTAsync_setTraceLevel(MQTTASYNC_TRACE_ERROR);
    }
    struct subscriber *subscriber =
        subscriber_start((int) option_number(argc, argv, "port", 1883),
                         option_text(argc, argv, "client", "counter"), count, &counter);
    puts("READY");
    fflush(stdout);
    pthread_mutex_lock(&counter.mutex);
    while (counter.wanted > 0 && !counter.done) {
        pthread_cond_wait(&counter.changed, &counter.mutex);
    }
    pthread_mutex_unlock(&counter.mutex);
    printf("{\"messages\":%" PRIu64 ",\"first_us\":%" PRId64 ",\"last_us\":%" PRId64
           ",\"cpu_s\":%.6f,\"peak_kb\":%ld}\n",
           counter.count, counter.first_us, counter.last_us, cpu_seconds(), peak_kb());
    fflush(stdout);
    subscriber_stop(subscriber);
    return 0;
}
