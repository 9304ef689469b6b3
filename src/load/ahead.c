/*
 * The thread stays and is woken for each batch: one that is made anew comes to life on the
 * processor of its maker, and lets it wait for some milliseconds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "load/ahead.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"

enum ahead_state { AHEAD_IDLE, AHEAD_BUILDS, AHEAD_ENDS };

struct ahead {
    struct batch *batch; /* the thread's while it builds, like all of `builder` */
    struct batch_builder builder;
    bool built;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    enum ahead_state state; /* under mutex */
};

static void build(struct ahead *ahead)
{
    struct error error;

    ahead->built = batch_build(ahead->batch, &ahead->builder, SIZE_MAX, &error) == OUTCOME_OK;
    if (!ahead->built) { /* it will be tried again, and then be told */
        log_debug("could not build the next batch ahead", F_TEXT("reason", error.text));
    }
}

static void *ahead_main(void *context)
{
    struct ahead *ahead = context;

    pthread_mutex_lock(&ahead->mutex);
    while (ahead->state != AHEAD_ENDS) {
        if (ahead->state == AHEAD_IDLE) {
            (void) thread_cond_wait(&ahead->changed, &ahead->mutex, -1);
            continue;
        }
        pthread_mutex_unlock(&ahead->mutex);
        build(ahead);
        pthread_mutex_lock(&ahead->mutex);
        ahead->state = AHEAD_IDLE;
        pthread_cond_broadcast(&ahead->changed);
    }
    pthread_mutex_unlock(&ahead->mutex);
    return NULL;
}

static void set_state(struct ahead *ahead, enum ahead_state state)
{
    pthread_mutex_lock(&ahead->mutex);
    ahead->state = state;
    pthread_cond_broadcast(&ahead->changed);
    pthread_mutex_unlock(&ahead->mutex);
}

struct ahead *ahead_new(size_t rule_count)
{
    struct ahead *ahead = memory_alloc(sizeof(*ahead));

    ahead->batch = batch_new(rule_count);
    pthread_mutex_init(&ahead->mutex, NULL);
    thread_cond_init(&ahead->changed);
    ahead->thread = thread_spawn("batch-ahead", ahead_main, ahead);
    return ahead;
}

void ahead_free(struct ahead *ahead)
{
    if (ahead == NULL) {
        return;
    }
    set_state(ahead, AHEAD_ENDS);
    pthread_join(ahead->thread, NULL);
    pthread_cond_destroy(&ahead->changed);
    pthread_mutex_destroy(&ahead->mutex);
    batch_free(ahead->batch);
    free(ahead);
}

void ahead_begin(struct ahead *ahead, const struct batch_builder *builder)
{
    ahead->builder = *builder;
    set_state(ahead, AHEAD_BUILDS);
}

bool ahead_end(struct ahead *ahead)
{
    pthread_mutex_lock(&ahead->mutex);
    while (ahead->state == AHEAD_BUILDS) {
        (void) thread_cond_wait(&ahead->changed, &ahead->mutex, -1);
    }
    pthread_mutex_unlock(&ahead->mutex);
    return ahead->built;
}

void ahead_swap(struct ahead *ahead, struct batch **batch)
{
    struct batch *built = ahead->batch;

    ahead->batch = *batch;
    *batch = built;
}
