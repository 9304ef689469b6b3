/*
 * bridge: the house as a whole: builds the stages in order, waits, stops them in reverse.
 *
 *   start:  configuration ▶ journal ▶ outbox ▶ loader ▶ (identity) ▶ receiver ▶ http
 *   stop:   receiver (no more messages) ▶ loader (stores what there is) ▶ http ▶
 *           outbox (acknowledges it) ▶ journal
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BRIDGE_BRIDGE_H
#define MQTT2PG_BRIDGE_BRIDGE_H

/* Runs the service until SIGTERM, SIGINT or a failure; returns the process's exit code (0, 1, 3, 4:
 * src/cli/cli_call.h). */
int bridge_run(const char *config_file);

#endif
