/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <assert.h>

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_monotonic_ms(void)
{
    return clock_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_monotonic_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

struct timespec clock_deadline(int64_t milliseconds)
{
    /* A wait of a century is as good as one without end, and does not overflow a time_t. */
    const int64_t milliseconds_max = INT64_C(100) * 366 * 24 * 3600 * 1000;
    if (milliseconds < 0) {
        milliseconds = 0;
    } else if (milliseconds > milliseconds_max) {
        milliseconds = milliseconds_max;
    }

    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += (time_t) (milliseconds / 1000);
    deadline.tv_nsec += (long) (milliseconds % 1000) * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }
    assert(deadline.tv_nsec >= 0 && deadline.tv_nsec < 1000000000);
    return deadline;
}
