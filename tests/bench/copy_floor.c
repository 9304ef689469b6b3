/*
 * copy_floor: COPY BINARY of samples that lie encoded in memory, in batches of one transaction
 * each: the floor of the bridge's storing side.
 *
 *   copy_floor --conninfo C --rows N --batch ROWS [--topics T] [--time MICROSECONDS]
 *
 * One line of JSON: when it began, when the first and the last batch were committed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sample.h"

struct rows {
    char *data;
    size_t *ends; /* of each batch */
    size_t batches;
};

static void *allocate(size_t bytes)
{
    void *memory = malloc(bytes);
    if (memory == NULL) {
        die("no memory");
    }
    memset(memory, 0, bytes); /* no page faults later */
    return memory;
}

/* Each batch with header and trailer. */
static struct rows encode(uint64_t count, uint64_t batch, uint32_t topics, int64_t time_us)
{
    struct rows rows = {.data = allocate(count * 128 + (count / batch + 1) * 64),
                        .ends = allocate((count / batch + 1) * sizeof(size_t))};
    struct sample sample;
    struct sample_row row;
    size_t length = 0;

    sample_init(&sample, 150, topics);
    for (uint64_t i = 0; i < count; i++) {
        if (i % batch == 0) {
            memcpy(rows.data + length, COPY_HEADER, COPY_HEADER_BYTES);
            length += COPY_HEADER_BYTES;
        }
        sample_set(&sample, i, time_us + (int64_t) i);
        sample_row(&sample, i, time_us + (int64_t) i, &row);
        length += sample_row_encode(rows.data + length, &row);
        if (i % batch == batch - 1 || i == count - 1) {
            memcpy(rows.data + length, COPY_TRAILER, COPY_TRAILER_BYTES);
            length += COPY_TRAILER_BYTES;
            rows.ends[rows.batches++] = length;
        }
    }
    sample_fini(&sample);
    return rows;
}

static void copy(PGconn *connection, const char *data, size_t length)
{
    PGresult *result = PQexec(connection, sample_copy);
    if (PQresultStatus(result) != PGRES_COPY_IN) {
        die("copy_floor: %s", PQerrorMessage(connection));
    }
    PQclear(result);
    for (size_t at = 0; at < length;) {
        size_t chunk = length - at < 65536 ? length - at : 65536;
        if (PQputCopyData(connection, data + at, (int) chunk) != 1) {
            die("copy_floor: %s", PQerrorMessage(connection));
        }
        at += chunk;
    }
    if (PQputCopyEnd(connection, NULL) != 1) {
        die("copy_floor: %s", PQerrorMessage(connection));
    }
    while ((result = PQgetResult(connection)) != NULL) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            die("copy_floor: %s", PQerrorMessage(connection));
        }
        PQclear(result);
    }
}

int main(int argc, char **argv)
{
    uint64_t count = (uint64_t) option_number(argc, argv, "rows", 100000);
    uint64_t batch = (uint64_t) option_number(argc, argv, "batch", 10000);
    struct rows rows = encode(count, batch, (uint32_t) option_number(argc, argv, "topics", 1000),
                              option_number(argc, argv, "time", wall_us()));
    PGconn *connection = PQconnectdb(option_text(argc, argv, "conninfo", ""));
    int64_t first_us = 0;

    if (PQstatus(connection) != CONNECTION_OK) {
        die("copy_floor: %s", PQerrorMessage(connection));
    }
    double encoding_s = cpu_seconds();
    int64_t start_us = wall_us();
    for (size_t i = 0; i < rows.batches; i++) {
        size_t begin = i == 0 ? 0 : rows.ends[i - 1];
        copy(connection, rows.data + begin, rows.ends[i] - begin);
        first_us = i == 0 ? wall_us() : first_us;
    }
    printf("{\"rows\":%" PRIu64 ",\"batch\":%" PRIu64 ",\"start_us\":%" PRId64
           ",\"first_us\":%" PRId64 ",\"last_us\":%" PRId64 ",\"cpu_s\":%.6f}\n",
           count, batch, start_us, first_us, wall_us(), cpu_seconds() - encoding_s);
    PQfinish(connection);
    free(rows.data);
    free(rows.ends);
    return 0;
}
