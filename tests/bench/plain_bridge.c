/*
 * plain_bridge: the bridge that one would write in an afternoon: Paho C, a queue, cJSON, COPY
 * BINARY of up to 5000 rows. No journal: a message is acknowledged to the broker when it stands in
 * the queue, and lost with the process.
 *
 *   plain_bridge --port P --client NAME --messages N --conninfo C      N = 0 makes the session and goes
 *
 * Prints READY when subscribed, and one line of JSON when N rows are committed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sample.h"
#include "subscriber.h"

enum { ROWS_MAX = 5000 };

struct item {
    MQTTAsync_message *message;
    char *topic;
};

/* A growing array that the worker exchanges for an empty one. */
struct queue {
    struct item *items;
    size_t count, capacity;
};

struct bridge {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct queue queue;
};

static void put(void *context, MQTTAsync_message *message, char *topic)
{
    struct bridge *bridge = context;
    struct queue *queue = &bridge->queue;

    pthread_mutex_lock(&bridge->mutex);
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity == 0 ? ROWS_MAX : queue->capacity * 2;
        queue->items = realloc(queue->items, queue->capacity * sizeof(*queue->items));
        if (queue->items == NULL) {
            die("no memory");
        }
    }
    queue->items[queue->count++] = (struct item){message, topic};
    pthread_cond_signal(&bridge->changed);
    pthread_mutex_unlock(&bridge->mutex);
}

/* All that is there, at least one. */
static void take(struct bridge *bridge, struct queue *empty)
{
    struct queue full;
    pthread_mutex_lock(&bridge->mutex);
    while (bridge->queue.count == 0) {
        pthread_cond_wait(&bridge->changed, &bridge->mutex);
    }
    full = bridge->queue;
    bridge->queue = *empty;
    pthread_mutex_unlock(&bridge->mutex);
    *empty = full;
}

static double number(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static size_t encode(const struct item *item, char *out)
{
    cJSON *object =
        cJSON_ParseWithLength(item->message->payload, (size_t) item->message->payloadlen);
    const char *device = strchr(item->topic, '/');
    const char *end = device == NULL ? NULL : strchr(device + 1, '/');
    if (object == NULL || end == NULL) {
        die("plain_bridge: not a message that it knows");
    }
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(object, "status");
    struct sample_row row = {
        .time_us = (int64_t) number(object, "ts"),
        .device = device + 1,
        .device_length = (size_t) (end - device - 1),
        .n = (int64_t) number(object, "n"),
        .temperature = number(object, "temperature"),
        .humidity = number(object, "humidity"),
        .battery = (int32_t) number(object, "battery"),
        .status = cJSON_IsString(status) ? status->valuestring : "",
    };
    row.status_length = strlen(row.status);
    size_t length = sample_row_encode(out, &row);
    cJSON_Delete(object);
    return length;
}

static void expect(PGconn *connection, PGresult *result, ExecStatusType status)
{
    if (PQresultStatus(result) != status) {
        die("plain_bridge: %s", PQerrorMessage(connection));
    }
    PQclear(result);
}

static void store(PGconn *connection, const struct item *items, size_t count, char *out)
{
    size_t length = COPY_HEADER_BYTES;
    memcpy(out, COPY_HEADER, COPY_HEADER_BYTES);
    for (size_t i = 0; i < count; i++) {
        length += encode(&items[i], out + length);
    }
    memcpy(out + length, COPY_TRAILER, COPY_TRAILER_BYTES);
    length += COPY_TRAILER_BYTES;
    expect(connection, PQexec(connection, sample_copy), PGRES_COPY_IN);
    if (PQputCopyData(connection, out, (int) length) != 1 || PQputCopyEnd(connection, NULL) != 1) {
        die("plain_bridge: %s", PQerrorMessage(connection));
    }
    expect(connection, PQgetResult(connection), PGRES_COMMAND_OK);
    PQclear(PQgetResult(connection));
    for (size_t i = 0; i < count; i++) {
        MQTTAsync_message *message = items[i].message;
        MQTTAsync_freeMessage(&message);
        MQTTAsync_free(items[i].topic);
    }
}

int main(int argc, char **argv)
{
    struct bridge bridge = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                            .changed = PTHREAD_COND_INITIALIZER};
    uint64_t wanted = (uint64_t) option_number(argc, argv, "messages", 0), stored = 0;
    PGconn *connection = PQconnectdb(option_text(argc, argv, "conninfo", ""));
    char *out = malloc((size_t) ROWS_MAX * SAMPLE_ROW_BYTES + 64);
    struct queue queue = {0};

    if (PQstatus(connection) != CONNECTION_OK) {
        die("plain_bridge: %s", PQerrorMessage(connection));
    }
    struct subscriber *subscriber =
        subscriber_start((int) option_number(argc, argv, "port", 1883),
                         option_text(argc, argv, "client", "plain"), put, &bridge);
    puts("READY");
    fflush(stdout);
    while (stored < wanted) {
        queue.count = 0;
        take(&bridge, &queue);
        for (size_t at = 0; at < queue.count; at += ROWS_MAX) {
            size_t count = queue.count - at < ROWS_MAX ? queue.count - at : ROWS_MAX;
            store(connection, queue.items + at, count, out);
            stored += count;
        }
    }
    printf("{\"messages\":%" PRIu64 ",\"last_us\":%" PRId64 ",\"cpu_s\":%.6f,\"peak_kb\":%ld}\n",
           stored, wall_us(), cpu_seconds(), peak_kb());
    fflush(stdout);
    subscriber_stop(subscriber);
    PQfinish(connection);
    free(queue.items);
    free(bridge.queue.items);
    free(out);
    return 0;
}
