/* SPDX-License-Identifier: MIT */
#include "load/ahead.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

/* The server works on for longer than STEP_US with what a socket holds. */
enum { STEP_US = 100, STEP_RECORDS = 8 };

struct ahead {
    struct batch *batch;
    struct batch_builder builder;
    bool whole;
    bool failed;
};

struct ahead *ahead_new(size_t rule_count)
{
    struct ahead *ahead = memory_alloc(sizeof(*ahead));

    ahead->batch = batch_new(rule_count);
    return ahead;
}

void ahead_free(struct ahead *ahead)
{
    if (ahead != NULL) {
        batch_free(ahead->batch);
        free(ahead);
    }
}

static void extend(struct ahead *ahead, size_t records)
{
    struct error error;

    assert(!ahead->whole);

    if (batch_extend(ahead->batch, &ahead->builder, records, &ahead->whole, &error) != OUTCOME_OK) {
        log_debug("could not build the next batch ahead", F_TEXT("reason", error.text));
        ahead->whole = ahead->failed = true; /* it will be tried again, and then be told */
    }
}

void ahead_begin(struct ahead *ahead, const struct batch_builder *builder)
{
    ahead->builder = *builder;
    ahead->whole = ahead->failed = false;
    batch_begin(ahead->batch, builder);
}

bool ahead_step(void *context)
{
    struct ahead *ahead = context;
    int64_t end_us = clock_monotonic_us() + STEP_US;

    while (!ahead->whole && clock_monotonic_us() < end_us) {
        extend(ahead, STEP_RECORDS);
    }
    return !ahead->whole;
}

bool ahead_take(struct ahead *ahead, struct batch **batch)
{
    struct batch *begun = ahead->batch;

    assert(ahead->builder.reader != NULL);

    if (!ahead->whole) {
        extend(ahead, SIZE_MAX);
    }
    if (ahead->failed) {
        return false;
    }
    ahead->batch = *batch;
    *batch = begun;
    return true;
}
