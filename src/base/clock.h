/*
 * clock: the two clocks. Order and waiting use the monotonic clock; the wall clock is for times
 * that people see.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_CLOCK_H
#define MQTT2PG_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds / microseconds since some moment before the process started;
 * never goes back. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);

/* Microseconds since 1970-01-01 00:00:00 UTC. */
int64_t clock_wall_us(void);

/* The absolute CLOCK_MONOTONIC time that is `milliseconds` from now, for
 * condition variables made by thread_cond_init(). */
struct timespec clock_deadline(int64_t milliseconds);

#endif
