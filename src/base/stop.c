/* SPDX-License-Identifier: MIT */
#include "base/stop.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/thread.h"

/* The flag is atomic besides the mutex, because loops ask it once a message. */
static atomic_bool requested;
static atomic_int exit_code;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed; /* on the monotonic clock, so it has no static initializer */

static void changed_init(void)
{
    thread_cond_init(&changed);
}

/* The first code other than 0 stays: the reason comes before what follows from it. */
void stop_request(int code)
{
    assert(code >= 0 && code <= 255); /* exit(3) keeps the low eight bits only */
    pthread_once(&once, changed_init);
    pthread_mutex_lock(&mutex);
    int none = 0;
    atomic_compare_exchange_strong(&exit_code, &none, code);
    atomic_store(&requested, true);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

bool stop_requested(void)
{
    return atomic_load_explicit(&requested, memory_order_relaxed);
}

int stop_exit_code(void)
{
    return atomic_load(&exit_code);
}

/* The loop is for wake-ups without a cause, which a condition variable may have. */
bool stop_sleep(int64_t milliseconds)
{
    pthread_once(&once, changed_init);
    int64_t end_ms = clock_monotonic_ms() + (milliseconds > 0 ? milliseconds : 0);

    pthread_mutex_lock(&mutex);
    int64_t left_ms = end_ms - clock_monotonic_ms();
    while (!atomic_load(&requested) && left_ms > 0) {
        thread_cond_wait(&changed, &mutex, left_ms);
        left_ms = end_ms - clock_monotonic_ms();
    }
    bool slept = !atomic_load(&requested);
    pthread_mutex_unlock(&mutex);
    return slept;
}

void stop_reset(void)
{
    atomic_store(&requested, false);
    atomic_store(&exit_code, 0);
}
