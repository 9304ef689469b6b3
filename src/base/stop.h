/*
 * stop: the flag with which any thread ends the process in good order.
 *
 * Every long loop asks stop_requested(), also the main thread's loop that waits for signals. A
 * second request changes the exit code if the code is still 0, and nothing else.
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
