/* SPDX-License-Identifier: MIT */
#include "base/stop.h"

#include <assert.h>
#include <stdatomic.h>

static atomic_bool requested;
static atomic_int exit_code;

/* The first code other than 0 stays: later failures are often its consequences. */
void stop_request(int code)
{
    assert(code >= 0 && code <= 255); /* exit(3) keeps the low eight bits only */
    int none = 0;
    atomic_compare_exchange_strong(&exit_code, &none, code);
    atomic_store(&requested, true);
}

bool stop_requested(void)
{
    return atomic_load_explicit(&requested, memory_order_relaxed);
}

int stop_exit_code(void)
{
    return atomic_load(&exit_code);
}

void stop_reset(void)
{
    atomic_store(&requested, false);
    atomic_store(&exit_code, 0);
}
