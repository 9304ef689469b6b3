/*
 * stop: the one flag by which any thread ends the process in good order.
 *
 * Loops, the main thread's around its signals among them, ask stop_requested(). A second request
 * changes nothing but may raise the exit code from 0.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_STOP_H
#define MQTT2PG_BASE_STOP_H

#include <stdbool.h>

/* Asks for the end of the process with `exit_code`. Any thread. */
void stop_request(int exit_code);

bool stop_requested(void);
int stop_exit_code(void);

/* For tests, which stop more than once a process. */
void stop_reset(void);

#endif
