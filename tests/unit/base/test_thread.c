/* The clocks, threads and the stop flag, which need each other.
 *
 * SPDX-License-Identifier: MIT */
#include "base/thread.h"

#include <signal.h>

#include "base/clock.h"
#include "base/stop.h"
#include "unit.h"

static void test_clocks(void)
{
    int64_t before_us = clock_monotonic_us();
    CHECK(clock_monotonic_us() >= before_us);
    CHECK(clock_monotonic_ms() >= before_us / 1000);
    CHECK(clock_wall_us() > INT64_C(1700000000000000));

    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    struct timespec later = clock_deadline(1999);
    double seconds =
        (double) (later.tv_sec - now.tv_sec) + (double) (later.tv_nsec - now.tv_nsec) / 1e9;
    CHECK(seconds >= 1.999 && seconds < 10);
    CHECK(later.tv_nsec >= 0 && later.tv_nsec < 1000000000);
    CHECK(clock_deadline(INT64_MAX).tv_sec > now.tv_sec);
    CHECK(clock_deadline(-5).tv_sec >= now.tv_sec);
}

static void *report_name(void *context)
{
    /* The name is set by the parent, perhaps after this has begun. */
    char *name = context;
    for (int i = 0; i < 1000 && strcmp(name, "a-name") != 0; i++) {
        pthread_getname_np(pthread_self(), name, 16);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    return context;
}

static void test_spawn_names_the_thread(void)
{
    char name[16] = "";
    void *result = NULL;
    pthread_t thread = thread_spawn("a-name", report_name, name);
    CHECK_INT_EQ(pthread_join(thread, &result), 0);
    CHECK(result == name);
    CHECK_TEXT_EQ(name, "a-name");
}

static void test_signals_are_blocked(void)
{
    sigset_t old;
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, NULL, &old);
    thread_block_signals();
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    CHECK(sigismember(&now, SIGTERM) == 1);
    CHECK(sigismember(&now, SIGHUP) == 1);
    CHECK(sigismember(&now, SIGPIPE) == 1);
    CHECK(sigismember(&now, SIGSEGV) == 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond;
static bool ready;

static void *make_ready(void *context)
{
    pthread_mutex_lock(&mutex);
    ready = true;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&mutex);
    return context;
}

static void test_condition(void)
{
    thread_cond_init(&cond);
    pthread_mutex_lock(&mutex);
    int64_t start_ms = clock_monotonic_ms();
    CHECK(!thread_cond_wait(&cond, &mutex, 20));
    CHECK(clock_monotonic_ms() - start_ms >= 19);

    pthread_t thread = thread_spawn("ready", make_ready, NULL);
    while (!ready) {
        CHECK(thread_cond_wait(&cond, &mutex, -1));
    }
    pthread_mutex_unlock(&mutex);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&cond);
}

static void test_stop_codes(void)
{
    stop_reset();
    CHECK(!stop_requested());
    stop_request(0);
    CHECK(stop_requested());
    CHECK_INT_EQ(stop_exit_code(), 0);
    stop_request(4);
    CHECK_INT_EQ(stop_exit_code(), 4);
    stop_request(1);
    stop_request(0);
    CHECK_INT_EQ(stop_exit_code(), 4);
    stop_reset();
    CHECK(!stop_requested());
}

UNIT_MAIN("thread", {"clocks", test_clocks},
          {"spawn names the thread", test_spawn_names_the_thread},
          {"signals are blocked", test_signals_are_blocked}, {"condition", test_condition},
          {"stop codes", test_stop_codes})
