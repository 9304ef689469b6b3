/*
 * pg_setup: prepares a fresh connection: checks the server, makes the settings, and ends the
 * backend of the connection before. Only pg/ uses this module.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_PG_SETUP_H
#define MQTT2PG_PG_PG_SETUP_H

#include "pg/pg_connection.h"

/* OUTCOME_RETRY with the reason in `error`: another host may do. */
enum outcome pg_setup_session(struct pg_connection *connection, struct error *error) MUST_CHECK;

#endif
