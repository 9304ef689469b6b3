/*
 * pg_setup: makes a session of a fresh connection: settings, whether the server is one to work
 * with, and the end of the connection before. Inside of pg/ only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_PG_SETUP_H
#define MQTT2PG_PG_PG_SETUP_H

#include "pg/pg_connection.h"

/* OUTCOME_RETRY with the reason in `error`: another host may do. */
enum outcome pg_setup_session(struct pg_connection *connection, struct error *error) MUST_CHECK;

#endif
