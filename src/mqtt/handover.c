/* SPDX-License-Identifier: MIT */
#include "mqtt/handover.h"

#include <assert.h>

/* The second copy comes at most so long after the first. */
enum { COPY_MS = 100 };

/* How long copies may still come from the broker's queue after subscriptions changed, and the
 * pauses that show that the queue is empty. */
enum { DRAINING_MS = 2000, PAUSE_MIN_MS = 10, QUEUE_PAUSE_MS = 1000 };

/* While a queue is read: how many single messages must come before two equal ones may be taken for
 * copies, and after how many single messages copies are no longer looked for. */
enum { QUEUE_SINGLES = 20, QUEUE_SINGLES_LAST = 1000 };

void handover_init(struct handover *handover)
{
    *handover = (struct handover){.state = HANDOVER_NONE};
    pthread_mutex_init(&handover->mutex, NULL);
}

void handover_fini(struct handover *handover)
{
    subscription_set_fini(&handover->filters);
    pthread_mutex_destroy(&handover->mutex);
}

/* With the lock. */
static void set_filters(struct handover *handover, const struct subscription_set *filters)
{
    subscription_set_fini(&handover->filters);
    for (size_t i = 0; filters != NULL && i < filters->count; i++) {
        subscription_set_add(&handover->filters, &filters->list[i]);
    }
}

/* With the lock. */
static void finish(struct handover *handover)
{
    handover->state = HANDOVER_NONE;
    handover->doubled = false;
    set_filters(handover, NULL);
}

void handover_connected(struct handover *handover, uint8_t broker,
                        const struct subscription_set *filters, bool doubled)
{
    bool leaves = filters != NULL && filters->count > 1;

    pthread_mutex_lock(&handover->mutex);
    assert(handover->state != HANDOVER_CHANGING);
    finish(handover);
    handover->before_ms = 0;
    if (handover->broker == 0 || handover->broker != broker) {
        pairs_break(&handover->pairs);
    }
    if (leaves) {
        handover->state = HANDOVER_QUEUED;
        handover->doubled = doubled;
        set_filters(handover, filters);
    }
    if (leaves && doubled) {
        pairs_resume(&handover->pairs);
    } else if (leaves) {
        pairs_begin(&handover->pairs, QUEUE_SINGLES);
    }
    pthread_mutex_unlock(&handover->mutex);
}

/* Has no message come for longer than the broker needs to answer? If so, its queue is empty and
 * holds no copies. */
static bool queue_was_empty(const struct handover *handover, int64_t now_ms)
{
    assert(handover->state == HANDOVER_DRAINING);
    int64_t since_ms =
        handover->before_ms > handover->ended_ms ? handover->before_ms : handover->ended_ms;
    int64_t answers_ms = handover->ended_ms - handover->began_ms;
    /* Without a SUBSCRIBE it is not known how long the broker needs to answer. */
    int64_t least_ms = handover->doubled ? QUEUE_PAUSE_MS : PAUSE_MIN_MS;

    return now_ms - since_ms > 2 * answers_ms + least_ms;
}

/* With the lock. */
static bool goes_on(const struct handover *handover, int64_t now_ms)
{
    switch (handover->state) {
    case HANDOVER_NONE:
        return false;
    case HANDOVER_QUEUED:
    case HANDOVER_CHANGING:
        return true;
    case HANDOVER_DRAINING:
        break;
    }
    return !queue_was_empty(handover, now_ms) &&
           (handover->doubled ? handover->pairs.singles < QUEUE_SINGLES_LAST
                              : now_ms - handover->ended_ms <= DRAINING_MS);
}

void handover_begin(struct handover *handover, const struct subscription_set *filters,
                    int64_t now_ms)
{
    pthread_mutex_lock(&handover->mutex);
    assert(handover->state != HANDOVER_CHANGING);
    if (goes_on(handover, now_ms)) {
        bool in_order = handover->state == HANDOVER_QUEUED && !handover->doubled;
        pairs_change(&handover->pairs, in_order ? QUEUE_SINGLES : 0);
    } else {
        finish(handover);
        pairs_begin(&handover->pairs, 0);
    }
    handover->state = HANDOVER_CHANGING;
    handover->began_ms = now_ms;
    set_filters(handover, filters);
    pthread_mutex_unlock(&handover->mutex);
}

void handover_end(struct handover *handover, int64_t now_ms)
{
    pthread_mutex_lock(&handover->mutex);
    assert(handover->state == HANDOVER_CHANGING && now_ms >= handover->began_ms);
    handover->state = HANDOVER_DRAINING;
    handover->ended_ms = now_ms;
    pthread_mutex_unlock(&handover->mutex);
}

bool handover_goes_on(struct handover *handover, int64_t now_ms)
{
    pthread_mutex_lock(&handover->mutex);
    bool on = goes_on(handover, now_ms);
    pthread_mutex_unlock(&handover->mutex);
    return on;
}

/* With the lock. */
static void note_broker(struct handover *handover, const struct message *message)
{
    handover->broker = message->qos > 0 ? message->broker : 0;
}

/* With the lock; only while copies may come. */
static bool is_copy(struct handover *handover, const struct message *message, uint64_t hash,
                    int64_t now_ms)
{
    int64_t pause_ms = now_ms - handover->before_ms;
    assert(handover->state != HANDOVER_NONE);
    bool twice =
        !message->retained && subscription_set_overlaps(&handover->filters, message->topic);

    if (!twice || (handover->before_ms != 0 && pause_ms > COPY_MS)) {
        pairs_break(&handover->pairs);
    }
    return twice && pairs_take(&handover->pairs, hash);
}

bool handover_take(struct handover *handover, const struct message *message, uint64_t hash,
                   int64_t now_ms)
{
    bool copy = false;

    pthread_mutex_lock(&handover->mutex);
    if (goes_on(handover, now_ms)) {
        copy = is_copy(handover, message, hash, now_ms);
    } else {
        finish(handover);
        if (!message->retained) {
            pairs_watch(&handover->pairs, hash);
        }
    }
    handover->before_ms = now_ms;
    note_broker(handover, message);
    pthread_mutex_unlock(&handover->mutex);
    return copy;
}

void handover_done(struct handover *handover, bool taken, int64_t now_ms)
{
    pthread_mutex_lock(&handover->mutex);
    assert(handover->before_ms != 0 && now_ms >= handover->before_ms);
    handover->before_ms = now_ms;
    if (!taken) {
        pairs_forget_last(&handover->pairs);
    }
    pthread_mutex_unlock(&handover->mutex);
}

void handover_recall(struct handover *handover, const struct message *message)
{
    pthread_mutex_lock(&handover->mutex);
    assert(handover->state == HANDOVER_NONE && handover->before_ms == 0);
    if (!message->retained) {
        pairs_watch(&handover->pairs, message_hash(message));
        note_broker(handover, message);
    }
    pthread_mutex_unlock(&handover->mutex);
}

void handover_recall_copy(struct handover *handover)
{
    pthread_mutex_lock(&handover->mutex);
    pairs_break(&handover->pairs);
    pthread_mutex_unlock(&handover->mutex);
}
