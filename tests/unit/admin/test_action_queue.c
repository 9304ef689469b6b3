/* SPDX-License-Identifier: MIT */
#include "admin/action_queue.h"

#include <semaphore.h>
#include <unistd.h>

#include "base/memory.h"
#include "unit.h"

/* A handler that answers with the action's name, and waits while the gate is shut. */
static sem_t gate; /* 0 = shut */
static int interrupted;

static void run(void *context, struct action *action)
{
    (void) context;
    (void) sem_wait(&gate);
    (void) sem_post(&gate);
    action->status = 200;
    buf_append_text(&action->answer, action->name);
}

static void interrupt(void *context)
{
    (void) context;
    interrupted++;
    (void) sem_post(&gate);
}

static void done(void *context)
{
    (void) !write(*(int *) context, "x", 1);
}

static struct action *make(const char *name, int *pipe_end)
{
    struct action *action = memory_alloc(sizeof(*action));

    action->name = memory_strdup(name);
    action->done = done;
    action->done_context = pipe_end;
    return action;
}

static const struct action_handler handler = {.run = run, .interrupt = interrupt};

static void test_order(void)
{
    struct action_queue *queue = action_queue_start(&handler);
    struct action *first, *second;
    int ends[2];
    char bytes[2];

    CHECK_INT_EQ(pipe(ends), 0);
    CHECK_INT_EQ(sem_init(&gate, 0, 1), 0);
    first = make("first", &ends[1]);
    second = make("second", &ends[1]);
    CHECK_INT_EQ(action_queue_admit(queue, 1), ACTION_ADMITTED);
    action_queue_submit(queue, first);
    action_queue_submit(queue, second);
    CHECK_INT_EQ(read(ends[0], &bytes[0], 1), 1);
    CHECK_INT_EQ(read(ends[0], &bytes[1], 1), 1);
    CHECK_INT_EQ(first->status, 200);
    CHECK_TEXT_EQ(buf_string(&second->answer), "second");
    action_free(first);
    action_free(second);
    action_queue_stop(queue);
    action_queue_free(queue);
    close(ends[0]);
    close(ends[1]);
}

/* The running action is interrupted, those that wait are refused, and so is a later one. */
static void test_stop(void)
{
    struct action_queue *queue = action_queue_start(&handler);
    struct action *actions[ACTIONS_WAITING_MAX + 2];
    size_t count = 0;
    int ends[2];
    char byte;

    interrupted = 0;
    CHECK_INT_EQ(pipe(ends), 0);
    CHECK_INT_EQ(sem_init(&gate, 0, 0), 0);
    while (count < ACTIONS_WAITING_MAX + 1 &&
           action_queue_admit(queue, 1) == ACTION_ADMITTED) { /* one runs, or none yet */
        actions[count] = make("waits", &ends[1]);
        action_queue_submit(queue, actions[count++]);
    }
    CHECK(count >= ACTIONS_WAITING_MAX);
    action_queue_stop(queue);
    CHECK_INT_EQ(interrupted, 1);
    CHECK_INT_EQ(action_queue_admit(queue, 100000), ACTION_FULL);
    actions[count] = make("late", &ends[1]);
    action_queue_submit(queue, actions[count++]);
    for (size_t i = 0; i < count; i++) {
        CHECK_INT_EQ(read(ends[0], &byte, 1), 1);
    }
    CHECK_INT_EQ(actions[count - 1]->status, 503);
    CHECK_TEXT_EQ(buf_string(&actions[count - 1]->answer),
                  "{\"error\":\"the service is stopping\"}");
    for (size_t i = 0; i < count; i++) {
        CHECK(actions[i]->status == 200 || actions[i]->status == 503);
        action_free(actions[i]);
    }
    action_queue_free(queue);
    close(ends[0]);
    close(ends[1]);
}

static int admitted(struct action_queue *queue, int64_t now_ms)
{
    int count = 0;

    while (action_queue_admit(queue, now_ms) == ACTION_ADMITTED && count < 1000) {
        count++;
    }
    return count;
}

static void test_rate(void)
{
    struct action_queue *queue = action_queue_start(&handler);

    CHECK_INT_EQ(admitted(queue, 1000), ACTIONS_BURST);
    CHECK_INT_EQ(admitted(queue, 1000), 0);
    CHECK_INT_EQ(admitted(queue, 1050), 0);
    CHECK_INT_EQ(admitted(queue, 1100), 1);
    CHECK_INT_EQ(admitted(queue, 2100), ACTIONS_PER_SECOND);
    CHECK_INT_EQ(admitted(queue, 3600000), ACTIONS_BURST);
    action_queue_stop(queue);
    action_queue_free(queue);
}

static void test_off(void)
{
    CHECK(action_queue_start(&(struct action_handler){.run = NULL}) == NULL);
    action_queue_stop(NULL);
    action_queue_free(NULL);
    action_free(NULL);
}

UNIT_MAIN("action_queue", {"order", test_order}, {"stop", test_stop}, {"rate", test_rate},
          {"off", test_off})
