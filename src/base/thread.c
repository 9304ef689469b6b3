/* SPDX-License-Identifier: MIT */
#include "base/thread.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* A crash is synchronous: when its signal is blocked the kernel kills the
 * process without asking a sanitizer's or a debugger's handler. */
static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};

void thread_block_signals(void)
{
    sigset_t blocked;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof(crash_signals) / sizeof(crash_signals[0]); i++) {
        sigdelset(&blocked, crash_signals[i]);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, NULL);
}

void thread_unblock_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
}

pthread_t thread_spawn(const char *name, void *(*main)(void *context), void *context)
{
    enum { NAME_MAX_LENGTH = 15 }; /* pthread_setname_np(3) */
    pthread_t thread;

    assert(strlen(name) <= NAME_MAX_LENGTH);
    int number = pthread_create(&thread, NULL, main, context);
    if (number != 0) {
        fprintf(stderr, "mqtt2pg: could not start thread \"%s\": %s\n", name, strerror(number));
        abort();
    }
    /* Only for people (top, gdb); a thread that has ended already needs no name. */
    pthread_setname_np(thread, name);
    return thread;
}

/* Deadlines are on the monotonic clock: setting the wall clock moves none of them. */
void thread_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

bool thread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t milliseconds)
{
    if (milliseconds < 0) {
        pthread_cond_wait(cond, mutex);
        return true;
    }
    struct timespec deadline = clock_deadline(milliseconds);
    return pthread_cond_timedwait(cond, mutex, &deadline) != ETIMEDOUT;
}
