/* SPDX-License-Identifier: MIT */
#include "mqtt/paho_wake.h"

#include <assert.h>
#include <pthread.h>
#include <stddef.h>

/* Nobody subscribes to this filter. */
#define FILTER "mqtt2pg/paho_wake"

/* Process-wide, because Paho's receive thread is. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static MQTTAsync handles[PAHO_WAKE_MAX]; /* NULL: a free place */

/* Replaces the first `from`, if any, by `to`. */
static void replace(MQTTAsync from, MQTTAsync to)
{
    pthread_mutex_lock(&mutex);
    size_t i = 0;
    while (i < PAHO_WAKE_MAX && handles[i] != from) {
        i++;
    }
    if (i < PAHO_WAKE_MAX) {
        handles[i] = to;
    }
    pthread_mutex_unlock(&mutex);
}

void paho_wake_add(MQTTAsync handle)
{
    assert(handle != NULL);
    replace(NULL, handle);
}

void paho_wake_remove(MQTTAsync handle)
{
    replace(handle, NULL);
}

void paho_wake(void)
{
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < PAHO_WAKE_MAX; i++) {
        if (handles[i] != NULL) {
            /* A lost connection returns an error, which does not matter. */
            (void) MQTTAsync_unsubscribe(handles[i], FILTER, NULL);
        }
    }
    pthread_mutex_unlock(&mutex);
}
