/* SPDX-License-Identifier: MIT */
#include "mqtt/paho_wake.h"

#include <assert.h>
#include <pthread.h>
#include <stddef.h>

/* Filters come from rules, and no rule has this one. */
#define FILTER "mqtt2pg/paho_wake"

/* Process-wide, because Paho's receive thread is. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static MQTTAsync handles[PAHO_WAKE_MAX]; /* NULL: a free place */

/* The first `from` becomes `to`, when there is one. */
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
            /* One that is lost says so, and is no hindrance. */
            (void) MQTTAsync_unsubscribe(handles[i], FILTER, NULL);
        }
    }
    pthread_mutex_unlock(&mutex);
}
