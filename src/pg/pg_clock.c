/* SPDX-License-Identifier: MIT */
#include "pg/pg_clock.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "pg/pg_session.h"

#define AGREE_SECONDS 30
#define DIFFER_SECONDS 60

struct pg_clock_sent pg_clock_now(void)
{
    return (struct pg_clock_sent){.wall_us = clock_wall_us(), .monotonic_us = clock_monotonic_us()};
}

void pg_clock_take(struct pg_connection *connection, struct pg_clock_sent sent,
                   const struct pg_rows *rows, int column)
{
    int64_t server_us = pg_rows_integer(rows, 0, column);

    if (server_us > 0) {
        connection->clock_ahead_us = pg_clock_difference_us(
            sent.wall_us, clock_monotonic_us() - sent.monotonic_us, server_us);
    }
}

int64_t pg_clock_ahead_seconds(const struct pg_connection *connection)
{
    int64_t ahead_us = connection->clock_ahead_us;

    return (ahead_us + (ahead_us < 0 ? -500000 : 500000)) / 1000000;
}

int64_t pg_clock_difference_us(int64_t sent_us, int64_t took_us, int64_t server_us)
{
    assert(took_us >= 0 && server_us > 0);
    if (server_us < sent_us) {
        return sent_us - server_us;
    }
    return server_us > sent_us + took_us ? sent_us + took_us - server_us : 0;
}

int64_t pg_clock_worth_telling(int64_t told, int64_t ahead)
{
    assert(told == 0 || llabs(told) > DIFFER_SECONDS);
    if (llabs(ahead) < AGREE_SECONDS) {
        return 0;
    }
    if (told != 0 && llabs(ahead - told) <= DIFFER_SECONDS) {
        return told;
    }
    return llabs(ahead) > DIFFER_SECONDS ? ahead : 0;
}
