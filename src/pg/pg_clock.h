/*
 * pg_clock: compares this machine's wall clock with PostgreSQL's, by statements that return
 * clock_timestamp() beside what they are asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_PG_CLOCK_H
#define MQTT2PG_PG_PG_CLOCK_H

#include "pg/pg_connection.h"

/* When a statement was sent. */
struct pg_clock_sent {
    int64_t wall_us;
    int64_t monotonic_us;
};
struct pg_clock_sent pg_clock_now(void);

/* Reads the server's time, microseconds since 1970, from a field of row 0 in the answer to a
 * statement that was sent at `sent`. pg_clock_ahead_seconds() returns the result. Null, and a time
 * before 1970, change nothing. */
void pg_clock_take(struct pg_connection *connection, struct pg_clock_sent sent,
                   const struct pg_rows *rows, int column);

/* How far the wall clock is ahead; negative: behind. The server read its clock at an unknown moment
 * of the round trip: when any such moment explains the difference, the result is 0. Pure. */
int64_t pg_clock_difference_us(int64_t sent_us, int64_t took_us, int64_t server_us);

/*
 * The difference to report, in seconds, when `told` was reported before; 0 = none. Reports `ahead`
 * above a minute, and 0 below half a minute. In between, and while the difference has changed by at
 * most a minute, `told` stays, so that a difference of a minute is not reported every few seconds.
 * Pure.
 */
int64_t pg_clock_worth_telling(int64_t told, int64_t ahead);

#endif
