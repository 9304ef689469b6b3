/*
 * action_queue: runs the actions of the status page, one after the other, in a thread of its own:
 * the thread that answers the pages never waits for a database.
 *
 *   action_queue_submit() ─▶ queue (ACTIONS_WAITING_MAX) ─▶ handler.run(action) ─▶ action->done()
 *
 * One thread submits; the queue's own thread runs. From submit to done only the queue touches an
 * action.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ADMIN_ACTION_QUEUE_H
#define MQTT2PG_ADMIN_ACTION_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define ACTIONS_WAITING_MAX 8
/* More than a person clicks, and than taps ask: each asks once a second. */
#define ACTIONS_PER_SECOND 10
#define ACTIONS_BURST 30
#define ACTIONS_IDLE_MS 30000

/* What a request may say behind its "?". */
enum action_argument {
    ACTION_RULE,  /* rule=NAME */
    ACTION_TOPIC, /* topic=TOPIC */
    ACTION_ID,    /* id=NUMBER */
    ACTION_ALL,   /* all=1 */
    ACTION_AFTER, /* after=NUMBER */
    ACTION_ARGUMENTS,
};

extern const char *const action_argument_names[ACTION_ARGUMENTS];

struct action {
    char *name;                        /* owned; what stands behind /actions/ */
    char *arguments[ACTION_ARGUMENTS]; /* owned; NULL = not given */
    struct buf body;                   /* owned; the payload of `try` */

    unsigned status;   /* HTTP; set by whoever ran or refused the action */
    struct buf answer; /* owned; a JSON object */

    void (*done)(void *context); /* called in the queue's thread; then the action is the owner's */
    void *done_context;
    struct action *next;
};

/* Frees what the action owns, and the action. NULL is legal. */
void action_free(struct action *action);

/* Makes the answer {"error":"text"}. */
void action_refuse(struct action *action, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The module that knows what the actions do: bridge/actions. */
struct action_handler {
    /* Fills status and answer; in the queue's thread. NULL: there are no actions. */
    void (*run)(void *context, struct action *action);
    /* Makes the running action and all later ones end soon, for good. Any thread. */
    void (*interrupt)(void *context);
    /* Called when no action came for ACTIONS_IDLE_MS: frees what was kept for the next action. In
     * the queue's thread. May be NULL. */
    void (*idle)(void *context);
    void *context; /* borrowed */
};

struct action_queue;

/* NULL when the handler has no actions. */
struct action_queue *action_queue_start(const struct action_handler *handler);

/* Interrupts the running action; those that wait, and later ones, are answered 503. When it
 * returns, the handler is not running and will not run. NULL is legal. */
void action_queue_stop(struct action_queue *queue);

/* After action_queue_stop(), when nobody submits any more. NULL is legal. */
void action_queue_free(struct action_queue *queue);

enum action_admission {
    ACTION_ADMITTED,
    ACTION_TOO_OFTEN, /* more than ACTIONS_PER_SECOND: try again in a second */
    ACTION_FULL,      /* as many wait as may, or the service is stopping */
};

/* May an action be submitted now? The one thread that submits asks first. */
enum action_admission action_queue_admit(struct action_queue *queue, int64_t now_ms);

/* After ACTION_ADMITTED. Borrows the action until its done() is called. */
void action_queue_submit(struct action_queue *queue, struct action *action);

#endif
