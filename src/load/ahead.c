/* SPDX-License-Identifier: MIT */
#include "load/ahead.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"

struct ahead {
    struct batch *batch;
    struct batch_builder builder;
    bool built;
    pthread_t thread;
};

struct ahead *ahead_new(size_t rule_count)
{
    struct ahead *ahead = memory_alloc(sizeof(*ahead));

    ahead->batch = batch_new(rule_count);
    return ahead;
}

void ahead_free(struct ahead *ahead)
{
    if (ahead == NULL) {
        return;
    }
    batch_free(ahead->batch);
    free(ahead);
}

static void *ahead_main(void *context)
{
    struct ahead *ahead = context;
    struct error error;

    ahead->built = batch_build(ahead->batch, &ahead->builder, SIZE_MAX, &error) == OUTCOME_OK;
    if (!ahead->built) { /* it will be tried again, and then be told */
        log_debug("could not build the next batch ahead", F_TEXT("reason", error.text));
    }
    return NULL;
}

void ahead_begin(struct ahead *ahead, const struct batch_builder *builder)
{
    ahead->builder = *builder;
    ahead->thread = thread_spawn("batch-ahead", ahead_main, ahead);
}

bool ahead_end(struct ahead *ahead)
{
    pthread_join(ahead->thread, NULL);
    return ahead->built;
}

void ahead_swap(struct ahead *ahead, struct batch **batch)
{
    struct batch *built = ahead->batch;

    ahead->batch = *batch;
    *batch = built;
}
