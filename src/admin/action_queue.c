/* SPDX-License-Identifier: MIT */
#include "admin/action_queue.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/thread.h"

enum { SERVICE_UNAVAILABLE = 503 };

const char *const action_argument_names[ACTION_ARGUMENTS] = {
    [ACTION_RULE] = "rule", [ACTION_TOPIC] = "topic", [ACTION_ID] = "id",
    [ACTION_ALL] = "all",   [ACTION_AFTER] = "after",
};

/*
 * Invariants, under the mutex:
 * 1. `waiting` is the length of the list from `first`; at most ACTIONS_WAITING_MAX.
 * 2. `last` is its last element; only valid while `first` is not NULL.
 */
struct action_queue {
    struct action_handler handler;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
    struct action *first;
    struct action *last;
    size_t waiting;
    bool stopping;

    /* Only for the thread that submits: a bucket that holds ACTIONS_BURST tokens of 1000 parts
     * each, and gets ACTIONS_PER_SECOND tokens a second. */
    int64_t parts;
    int64_t refilled_ms;
};

void action_free(struct action *action)
{
    if (action == NULL) {
        return;
    }
    for (size_t i = 0; i < ACTION_ARGUMENTS; i++) {
        free(action->arguments[i]);
    }
    free(action->name);
    buf_fini(&action->body);
    buf_fini(&action->answer);
    free(action);
}

void action_refuse(struct action *action, unsigned status, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    assert(status >= 400 && status < 600);
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    action->status = status;
    buf_reset(&action->answer);
    buf_append_text(&action->answer, "{\"error\":");
    text_append_json(&action->answer, slice_of(text));
    buf_append_text(&action->answer, "}");
}

/* The next action to run; NULL: the queue is stopping. */
static struct action *take(struct action_queue *queue)
{
    struct action *action = NULL;
    bool idle = queue->handler.idle == NULL; /* nothing to call, or idle() was called already */

    pthread_mutex_lock(&queue->mutex);
    while (!queue->stopping && queue->first == NULL) {
        if (!thread_cond_wait(&queue->wake, &queue->mutex, idle ? -1 : ACTIONS_IDLE_MS)) {
            idle = true;
            pthread_mutex_unlock(&queue->mutex);
            queue->handler.idle(queue->handler.context);
            pthread_mutex_lock(&queue->mutex);
        }
    }
    if (!queue->stopping) {
        action = queue->first;
        queue->first = action->next;
        assert(queue->waiting > 0);
        queue->waiting--;
        assert((queue->waiting == 0) == (queue->first == NULL));
    }
    pthread_mutex_unlock(&queue->mutex);
    return action;
}

/* Nothing may touch an action after its done(), which may free it. */
static void *queue_main(void *context)
{
    struct action_queue *queue = context;
    struct action *action;

    while ((action = take(queue)) != NULL) {
        queue->handler.run(queue->handler.context, action);
        assert(action->status != 0);
        action->done(action->done_context);
    }
    return NULL;
}

struct action_queue *action_queue_start(const struct action_handler *handler)
{
    struct action_queue *queue;

    if (handler->run == NULL) {
        return NULL;
    }
    queue = memory_alloc(sizeof(*queue));
    queue->handler = *handler;
    queue->parts = ACTIONS_BURST * 1000;
    pthread_mutex_init(&queue->mutex, NULL);
    thread_cond_init(&queue->wake);
    queue->thread = thread_spawn("http-actions", queue_main, queue);
    return queue;
}

/* Answers the client with the reason, where it would otherwise only see its connection end. */
static void refuse_stopping(struct action *action)
{
    action_refuse(action, SERVICE_UNAVAILABLE, "the service is stopping");
    action->done(action->done_context);
}

void action_queue_stop(struct action_queue *queue)
{
    struct action *action;

    if (queue == NULL) {
        return;
    }
    if (queue->handler.interrupt != NULL) {
        queue->handler.interrupt(queue->handler.context);
    }
    pthread_mutex_lock(&queue->mutex);
    queue->stopping = true;
    pthread_cond_signal(&queue->wake);
    pthread_mutex_unlock(&queue->mutex);
    pthread_join(queue->thread, NULL);
    while ((action = queue->first) != NULL) {
        queue->first = action->next;
        refuse_stopping(action);
    }
}

void action_queue_free(struct action_queue *queue)
{
    if (queue == NULL) {
        return;
    }
    assert(queue->stopping && queue->first == NULL);
    pthread_cond_destroy(&queue->wake);
    pthread_mutex_destroy(&queue->mutex);
    free(queue);
}

/* Integers only: a part is the thousandth of a token, so a millisecond adds ACTIONS_PER_SECOND
 * parts. False: the bucket has no token. */
static bool take_token(struct action_queue *queue, int64_t now_ms)
{
    const int64_t most = ACTIONS_BURST * 1000;
    int64_t passed_ms = queue->refilled_ms == 0 ? 0 : now_ms - queue->refilled_ms;

    queue->refilled_ms = now_ms;
    queue->parts += passed_ms < 60000 ? passed_ms * ACTIONS_PER_SECOND : most;
    queue->parts = queue->parts < most ? queue->parts : most;
    assert(queue->parts >= 0);
    if (queue->parts < 1000) {
        return false;
    }
    queue->parts -= 1000;
    return true;
}

enum action_admission action_queue_admit(struct action_queue *queue, int64_t now_ms)
{
    bool full;

    if (!take_token(queue, now_ms)) {
        return ACTION_TOO_OFTEN;
    }
    pthread_mutex_lock(&queue->mutex);
    full = queue->stopping || queue->waiting >= ACTIONS_WAITING_MAX;
    pthread_mutex_unlock(&queue->mutex);
    return full ? ACTION_FULL : ACTION_ADMITTED;
}

/* With the mutex. */
static void append(struct action_queue *queue, struct action *action)
{
    assert(queue->waiting < ACTIONS_WAITING_MAX);
    if (queue->first == NULL) {
        queue->first = action;
    } else {
        queue->last->next = action;
    }
    queue->last = action;
    queue->waiting++;
}

void action_queue_submit(struct action_queue *queue, struct action *action)
{
    bool stopping;

    assert(action->done != NULL && action->status == 0);
    action->next = NULL;
    pthread_mutex_lock(&queue->mutex);
    stopping = queue->stopping;
    if (!stopping) {
        append(queue, action);
        pthread_cond_signal(&queue->wake);
    }
    pthread_mutex_unlock(&queue->mutex);
    if (stopping) {
        refuse_stopping(action);
    }
}
