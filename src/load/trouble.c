/* SPDX-License-Identifier: MIT */
#include "load/trouble.h"

#include <assert.h>
#include <string.h>

enum {
    SOON_MAX = 3,       /* more in a row are no coincidence */
    LOSSES_MAX = 1,     /* after more losses the batch may be at fault */
    ALONE_MAX = 5,      /* after so many losses the message is at fault */
    SMALL_BATCHES = 16, /* a cause such as a backfill uses up locks, memory or time for a while */
};

static struct remedy act(enum remedy_act act)
{
    return (struct remedy){.act = act};
}

/* The server can't store now. A refusal of the SQL itself (SQL_RULE) outside of any rule's rows
 * means that the bridge's own tables are not as they should be. */
static struct remedy wait_for_server(const struct pg_failure *failure,
                                     const struct trouble_history *history)
{
    if (history->stopping) { /* the messages are safe in the journal */
        return act(REMEDY_ABANDON);
    }
    return act(failure->action == SQL_RULE ? REMEDY_SCHEMA : REMEDY_WAIT);
}

/* At least one message: 0 would mean "no limit". */
static size_t fraction(size_t messages, size_t divisor)
{
    assert(divisor > 1);
    return messages > divisor ? messages / divisor : 1;
}

/* The first loss may have any cause. After the second with the same batch the batch is suspected:
 * it gets smaller with each loss, and its rows are tried one by one. A message that was alone in
 * the batch at ALONE_MAX losses is given up. */
static struct remedy after_loss(const struct trouble_history *history)
{
    struct remedy remedy = act(REMEDY_RECONNECT);

    if (history->losses > LOSSES_MAX) {
        remedy.records_max = fraction(history->messages, 4);
        remedy.inquire = true;
        remedy.give_up = history->alone >= ALONE_MAX;
        assert(!remedy.give_up || history->messages == 1);
    }
    return remedy;
}

/* A batch of one message can't be halved: wait until the server has more room. */
static struct remedy halve(const struct pg_failure *failure, const struct trouble_history *history)
{
    struct remedy remedy =
        history->messages > 1 ? act(REMEDY_AGAIN) : wait_for_server(failure, history);

    remedy.records_max = fraction(history->messages, 2);
    if (history->fits > 0 && history->fits < remedy.records_max) {
        remedy.records_max = history->fits;
    }
    remedy.small_batches =
        strcmp(failure->sqlstate, "53200") == 0 || history->fits > 0 ? SMALL_BATCHES : 0;
    assert(remedy.records_max >= 1);
    return remedy;
}

/* There are new verdicts. The batch must not take more messages when it is built again: if each
 * time one of the new messages were bad, it would never be stored. */
static struct remedy same_again(const struct trouble_history *history)
{
    struct remedy remedy = act(REMEDY_AGAIN);

    remedy.records_max = history->messages > 0 ? history->messages : 1;
    return remedy;
}

struct remedy trouble_remedy(enum store_result result, const struct pg_failure *failure,
                             const struct trouble_history *history)
{
    switch (result) {
    case STORE_DONE:
        break;
    case STORE_LOST:
        return after_loss(history);
    case STORE_STALE:
        return act(REMEDY_RECONNECT);
    case STORE_REFUSED:
    case STORE_AGAIN:
        return same_again(history);
    case STORE_SOON:
        return history->soon > SOON_MAX ? wait_for_server(failure, history) : act(REMEDY_PAUSE);
    case STORE_SMALLER:
        return halve(failure, history);
    case STORE_WAIT:
        return wait_for_server(failure, history);
    case STORE_ACKS:
        return act(history->stopping ? REMEDY_ABANDON : REMEDY_ACKS);
    case STORE_DISK:
        return act(REMEDY_STOP);
    }
    return act(REMEDY_NONE);
}
