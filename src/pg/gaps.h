/*
 * gaps: the table gap: spans of time from which messages may be missing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_GAPS_H
#define MQTT2PG_PG_GAPS_H

#include "core/gap.h"
#include "pg/pg_connection.h"

/* Inside a transaction: inserts one row for this client. */
enum outcome gap_insert(struct pg_connection *connection, const struct gap *gap,
                        struct pg_failure *failure) MUST_CHECK;

#endif
