/*
 * bridge: the service as a whole: starts its stages, waits for signals, stops the stages.
 *
 *   start:  configuration ▶ journal ▶ outbox ▶ loader ▶ (identity) ▶ receiver ▶ http
 *   stop:   receiver (no more messages) ▶ loader (stores what there is) ▶ http ▶
 *           outbox (acknowledges that) ▶ journal
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BRIDGE_BRIDGE_H
#define MQTT2PG_BRIDGE_BRIDGE_H

/* Runs the service until SIGTERM, SIGINT or a failure; returns the process's exit code (0, 1, 3, 4:
 * src/cli/cli_call.h). */
int bridge_run(const char *config_file);

#endif
