/* SPDX-License-Identifier: MIT */
#include "route/copies.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/memory.h"
#include "route/copy_tracks.h"
#include "route/router.h"

#define ROUTER_CACHE_BYTES ((size_t) 4 * 1024 * 1024)

struct copies {
    const struct plans *plans;     /* borrowed; NULL: none yet */
    struct topic_filter **filters; /* owned; of plans->list, for the router */
    struct router *router;         /* owned */
    struct tracks tracks;
};

/* One copy and what matches its topic. */
struct copy {
    const struct message *message;
    const struct route *found; /* subscriptions of all plans, the preferred ones first */
    size_t count;
    const char *share;
};

struct copies *copies_new(void)
{
    return memory_alloc(sizeof(struct copies));
}

static void drop_router(struct copies *copies)
{
    router_free(copies->router);
    for (size_t i = 0; copies->plans != NULL && i < copies->plans->count; i++) {
        topic_filter_free(copies->filters[i]);
    }
    free(copies->filters);
    copies->router = NULL;
    copies->filters = NULL;
}

void copies_free(struct copies *copies)
{
    if (copies != NULL) {
        drop_router(copies);
        tracks_fini(&copies->tracks);
        free(copies);
    }
}

void copies_use(struct copies *copies, const struct plans *plans)
{
    struct error error;

    drop_router(copies);
    copies->plans = plans;
    copies->filters = memory_alloc((plans->count + 1) * sizeof(struct topic_filter *));
    for (size_t i = 0; i < plans->count; i++) {
        if (topic_filter_compile(filter_unshared(plans->list[i].filter), &copies->filters[i],
                                 &error) != OUTCOME_OK) {
            /* A file that somebody wrote by hand: the subscription matches nothing. */
            (void) !topic_filter_compile(slice_of("$"), &copies->filters[i], &error);
        }
    }
    copies->router = router_new(copies->filters, plans->count, ROUTER_CACHE_BYTES);
    if (plans->step_count == 1) {
        tracks_fini(&copies->tracks);
    }
}

uint64_t copies_first(const struct copies *copies, uint64_t stored)
{
    const struct plans *plans = copies->plans;

    if (plans == NULL || plans->step_count == 1 || plans->steps[1].behind >= stored) {
        return stored + 1;
    }
    return plans->steps[1].behind + 1;
}

static const struct planned *subscription_at(const struct copies *copies, int index)
{
    return &copies->plans->list[index];
}

static bool came_for(const struct copies *copies, const struct message *message, int index)
{
    uint32_t identifier = index < 0 ? 0 : subscription_at(copies, index)->identifier;

    return identifier != 0 && message_came_for(message, identifier);
}

/* The canonical subscription of this plan. */
static int canonical(const struct copies *copies, const struct copy *copy, uint32_t plan)
{
    return plans_canonical(copies->plans, plan, copy->share, copy->found, copy->count);
}

/* The newest plan behind `plan` whose canonical subscription brought the copy: its number, and that
 * subscription; 0 when there is none. */
static uint32_t later_plan(const struct copies *copies, const struct copy *copy, uint32_t plan,
                           int *index)
{
    const struct plans *plans = copies->plans;

    for (size_t i = plans->step_count; i > 0 && plans->steps[i - 1].number > plan; i--) {
        *index = canonical(copies, copy, plans->steps[i - 1].number);
        if (came_for(copies, copy->message, *index)) {
            return plans->steps[i - 1].number;
        }
    }
    return 0;
}

static uint64_t made_behind(const struct plans *plans, uint32_t number)
{
    for (size_t i = plans->step_count; i > 0; i--) {
        if (plans->steps[i - 1].number <= number) {
            return plans->steps[i - 1].behind;
        }
    }
    return 0;
}

static struct track *track_of(struct copies *copies, const struct copy *copy)
{
    const struct message *message = copy->message;
    uint64_t seed = (uint64_t) message->broker << 1 | (message->qos > 0);
    uint64_t key;

    if (copy->share[0] != '\0') {
        seed ^= XXH3_64bits(copy->share, strlen(copy->share));
    }
    key = XXH3_64bits_withSeed(message->topic.data, message->topic.length, seed);
    return tracks_get(&copies->tracks, key == 0 ? 1 : key, copies->plans->steps[0].number);
}

static void remember(struct copies *copies, struct track *track, const struct message *message,
                     int index)
{
    track->last_sequence = message->sequence;
    track->last_hash = message_hash(message);
    track->last_filter = subscription_identifier(subscription_at(copies, index)->filter);
}

/* Is the first copy for a new subscription the other copy of the message that was taken last? */
static bool is_twin(const struct copies *copies, const struct track *track,
                    const struct message *message, int index)
{
    const struct planned *planned = subscription_at(copies, index);

    return track->last_sequence > made_behind(copies->plans, planned->born) &&
           track->last_sequence < message->sequence &&
           track->last_filter != subscription_identifier(planned->filter) &&
           track->last_hash == message_hash(message);
}

/* A topic whose canonical subscription has changed in the plans that are remembered. */
static bool follow(struct copies *copies, const struct copy *copy)
{
    const struct message *message = copy->message;
    struct track *track = track_of(copies, copy);
    uint32_t oldest = copies->plans->steps[0].number;
    struct turn turn = {.sequence = message->sequence};
    uint32_t plan = track_plan(track, message->sequence, &turn.twin);
    int here, there;
    bool counts;

    if (turn.twin) {
        return false;
    }
    plan = plan < oldest ? oldest : plan;
    here = canonical(copies, copy, plan);
    counts = came_for(copies, message, here);
    turn.plan = later_plan(copies, copy, plan, &there);
    if (turn.plan == 0 && !counts) {
        return false;
    }
    if (turn.plan != 0 && there != here) {
        turn.twin = !counts && is_twin(copies, track, message, there);
        track_turn(track, &turn);
        here = there;
    }
    if (!turn.twin) {
        remember(copies, track, message, here);
    }
    return !turn.twin;
}

/* The newest subscription that the copy names; -1 when it names none that is known. */
static int brought_by(const struct copies *copies, const struct copy *copy)
{
    int brought = -1;

    for (size_t i = 0; i < copy->count; i++) {
        int index = (int) copy->found[i].rule;

        if (came_for(copies, copy->message, index) &&
            (brought < 0 ||
             subscription_at(copies, index)->born > subscription_at(copies, brought)->born)) {
            brought = index;
        }
    }
    return brought;
}

bool copies_count(struct copies *copies, const struct message *message,
                  const struct copy_wish *wish)
{
    struct copy copy = {.message = message, .share = wish->share};
    int brought, oldest, newest;

    if (copies == NULL || copies->plans == NULL || copies->plans->count < 2 ||
        message->properties.length == 0) {
        return true;
    }
    copy.count = router_find(copies->router, message->topic, &copy.found);
    brought = brought_by(copies, &copy);
    if (brought < 0) {
        return true;
    }
    if (message->retained) {
        return wish->serving != NULL &&
               strcmp(subscription_at(copies, brought)->filter, wish->serving) == 0;
    }
    oldest = canonical(copies, &copy, copies->plans->steps[0].number);
    newest = canonical(copies, &copy, plans_newest(copies->plans)->number);
    if (oldest == newest && oldest >= 0) { /* then so it is in all between: plan.h, invariant 2 */
        return came_for(copies, message, oldest);
    }
    return follow(copies, &copy);
}
