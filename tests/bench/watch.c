/*
 * watch: sees from another database connection how far the bridge's rows are visible.
 *
 *   watch --conninfo C --client NAME --until POSITION [--interval MICROSECONDS] [--limit SECONDS]
 *
 * The position in mqtt2pg.progress moves in the transaction that stores the rows, so the first time
 * at which it is seen is when the rows can be seen, late by one interval and one round trip at
 * most. Prints READY, then at the end "MICROSECONDS POSITION" for each move that it saw. Exit code
 * 3 when POSITION was not reached within the limit.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sample.h"

struct moves {
    int64_t *list; /* time and position */
    size_t count, capacity;
};

static void add(struct moves *moves, int64_t time_us, int64_t position)
{
    if (moves->count == moves->capacity) {
        moves->capacity = moves->capacity == 0 ? 4096 : moves->capacity * 2;
        moves->list = realloc(moves->list, moves->capacity * 2 * sizeof(*moves->list));
        if (moves->list == NULL) {
            die("no memory");
        }
    }
    moves->list[moves->count * 2] = time_us;
    moves->list[moves->count * 2 + 1] = position;
    moves->count++;
}

static int64_t position(PGconn *connection, const char *client)
{
    PGresult *result =
        PQexecPrepared(connection, "position", 1, (const char *const[]){client}, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        die("watch: %s", PQerrorMessage(connection));
    }
    int64_t found = PQntuples(result) == 0 ? 0 : strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return found;
}

int main(int argc, char **argv)
{
    const char *client = option_text(argc, argv, "client", "bench");
    int64_t until = option_number(argc, argv, "until", 1);
    useconds_t interval = (useconds_t) option_number(argc, argv, "interval", 1000);
    int64_t end_us = wall_us() + option_number(argc, argv, "limit", 60) * 1000000;
    PGconn *connection = PQconnectdb(option_text(argc, argv, "conninfo", ""));
    struct moves moves = {0};
    int64_t seen = 0;

    if (PQstatus(connection) != CONNECTION_OK) {
        die("watch: %s", PQerrorMessage(connection));
    }
    PQclear(PQprepare(
        connection, "position",
        "select coalesce(max(position), 0) from mqtt2pg.progress where client_id = $1", 1, NULL));
    prctl(PR_SET_TIMERSLACK, 1UL);
    (void) position(connection, client);
    puts("READY");
    fflush(stdout);
    while (seen < until && wall_us() < end_us) {
        int64_t now = position(connection, client);
        if (now != seen) {
            add(&moves, wall_us(), now);
            seen = now;
            continue;
        }
        usleep(interval);
    }
    for (size_t i = 0; i < moves.count; i++) {
        printf("%" PRId64 " %" PRId64 "\n", moves.list[2 * i], moves.list[2 * i + 1]);
    }
    free(moves.list);
    PQfinish(connection);
    return seen >= until ? 0 : 3;
}
