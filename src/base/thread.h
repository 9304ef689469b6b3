/*
 * thread: named threads without signals, and condition variables on the monotonic clock.
 *
 * Signals belong to the main thread: a signal that lands in a thread of Paho makes it sleep for
 * 100 ms. thread_block_signals() is called before any other thread exists.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_THREAD_H
#define MQTT2PG_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Blocks every signal but those of a crash (SIGSEGV, SIGABRT, …) in this and all later threads. */
void thread_block_signals(void);

/* Unblocks the signals, for a command that a signal may end. */
void thread_unblock_signals(void);

/* Starts `main(context)` in a thread called `name` (at most 15 characters).
 * A failure ends the process. */
pthread_t thread_spawn(const char *name, void *(*main)(void *context), void *context);

void thread_cond_init(pthread_cond_t *cond);

/* Waits for a signal, at most `milliseconds` (< 0: without end). False after the time ran out. */
bool thread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t milliseconds);

#endif
