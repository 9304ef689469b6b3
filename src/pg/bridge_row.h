/*
 * bridge_row: the row of this bridge in the table bridge. It shows the bridge's state to monitoring
 * by SQL; behind a pooler the row is also the bridge's identity, as a lease.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_BRIDGE_ROW_H
#define MQTT2PG_PG_BRIDGE_ROW_H

#include "pg/pg_connection.h"

struct bridge_row {
    const char *journal; /* its UUID; borrowed, like all texts */
    const char *version;
    const char *host;
    int64_t started_at_us; /* wall clock, like all times */
    int64_t connected_at_us;
    uint64_t backlog;
    double delay_seconds;
    double messages_per_second;
    double rows_per_second;
    const char *last_error; /* NULL = none */
    int64_t last_error_at_us;
};

/* Writes the row: with `lease_s` 0 unconditionally; else only when no other process, with another
 * journal, wrote the row within the last `lease_s` seconds. If one did, *ours is false. The
 * statement also returns the server's time: see pg_clock_ahead_seconds(). */
enum outcome bridge_row_write(struct pg_connection *connection, const struct bridge_row *row,
                              int lease_s, bool *ours, struct pg_failure *failure) MUST_CHECK;

/* Fills `when` with the time at which some process of this client wrote the row last, as a text
 * that is only good for comparing; "" = the row is not there, or may not be read. OUTCOME_RETRY:
 * the connection is lost. */
enum { BRIDGE_WHEN_BYTES = 40 };
enum outcome bridge_row_refreshed(struct pg_connection *connection, char when[BRIDGE_WHEN_BYTES],
                                  struct pg_failure *failure) MUST_CHECK;

#endif
