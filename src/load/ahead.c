/* SPDX-License-Identifier: MIT */
#include "load/ahead.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

/* A step ends after STEP_US: the server works for longer with the bytes that its socket holds. */
enum { STEP_US = 100, STEP_RECORDS = 8 };

/* `whole`: the batch is complete, or building has failed. `builder` is a copy; the objects that it
 * points to are borrowed until ahead_take(). */
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

/* Reads on into the batch. An error of the journal is not reported here: the loader builds the
 * batch anew and reports the error if it is still there. */
static void extend(struct ahead *ahead, size_t records)
{
    struct error error;

    assert(!ahead->whole);

    if (batch_extend(ahead->batch, &ahead->builder, records, &ahead->whole, &error) != OUTCOME_OK) {
        log_debug("could not build the next batch ahead", F_TEXT("reason", error.text));
        ahead->whole = ahead->failed = true;
    }
}

void ahead_begin(struct ahead *ahead, const struct batch_builder *builder)
{
    assert(builder->reader != NULL && builder->ruleset != NULL);
    ahead->builder = *builder;
    ahead->whole = ahead->failed = false;
    batch_begin(ahead->batch, builder);
}

bool ahead_step(void *context)
{
    struct ahead *ahead = context;
    int64_t end_us = clock_monotonic_us() + STEP_US;

    assert(ahead->builder.reader != NULL);
    while (!ahead->whole && clock_monotonic_us() < end_us) {
        extend(ahead, STEP_RECORDS);
    }
    return !ahead->whole;
}

bool ahead_take(struct ahead *ahead, struct batch **batch)
{
    struct batch *begun = ahead->batch;

    assert(ahead->builder.reader != NULL);
    assert((*batch)->rule_count == begun->rule_count);

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
