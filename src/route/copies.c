/* SPDX-License-Identifier: MIT */
#include "route/copies.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/memory.h"
#include "core/property.h"
#include "route/copy_bringers.h"
#include "route/copy_tracks.h"
#include "route/router.h"

#define ROUTER_CACHE_BYTES ((size_t) 4 * 1024 * 1024)

/* The answer to all rules of one share group about one message. */
struct answer {
    char *share; /* owned, or no_share */
    bool counts;
};

static char no_share[] = ""; /* most messages: they need no memory for it */

struct copies {
    const struct plans *plans;     /* borrowed; NULL: none yet */
    struct topic_filter **filters; /* owned; of plans->list, for the router */
    uint32_t *keys;                /* owned; subscription_identifier() of plans->list */
    struct bringers bringers;      /* of plans->list */
    struct router *router;         /* owned */
    bool looks_back;
    struct tracks tracks;
    uint64_t stranger;      /* number of the first copy for a subscription of no plan; 0 = none */
    bool noted;             /* copies_take_notes() was called */
    uint64_t judged;        /* number of the message that was judged last */
    struct answer *answers; /* owned; about it */
    size_t answer_count, answer_capacity;
};

/* One copy and what matches its topic. */
struct copy {
    const struct message *message;
    const struct route *found; /* subscriptions of all plans */
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
    free(copies->keys);
    copies->router = NULL;
    copies->filters = NULL;
    copies->keys = NULL;
}

static void forget_answers(struct copies *copies)
{
    for (size_t i = 0; i < copies->answer_count; i++) {
        char *share = copies->answers[i].share;
        free(share == no_share ? NULL : share);
    }
    copies->answer_count = 0;
}

void copies_free(struct copies *copies)
{
    if (copies != NULL) {
        forget_answers(copies);
        free(copies->answers);
        drop_router(copies);
        tracks_fini(&copies->tracks);
        bringers_fini(&copies->bringers);
        free(copies);
    }
}

void copies_use(struct copies *copies, const struct plans *plans)
{
    struct error error;

    plans_check(plans);
    drop_router(copies);
    bringers_use(&copies->bringers, plans);
    copies->plans = plans;
    copies->filters = memory_alloc((plans->count + 1) * sizeof(struct topic_filter *));
    copies->keys = memory_alloc((plans->count + 1) * sizeof(*copies->keys));
    for (size_t i = 0; i < plans->count; i++) {
        copies->keys[i] = subscription_identifier(plans->list[i].filter);
        if (topic_filter_compile(filter_unshared(plans->list[i].filter), &copies->filters[i],
                                 &error) != OUTCOME_OK) {
            /* A person has edited the file of plans: let the subscription match nothing. */
            (void) !topic_filter_compile(slice_of("$"), &copies->filters[i], &error);
        }
    }
    copies->router = router_new(copies->filters, plans->count, ROUTER_CACHE_BYTES);
}

void copies_rewind(struct copies *copies, uint64_t first)
{
    tracks_rewind(&copies->tracks, first);
    bringers_rewind(&copies->bringers, first);
    forget_answers(copies);
    copies->stranger = copies->stranger >= first ? 0 : copies->stranger;
    copies->judged = 0;
}

bool copies_know_stranger(const struct copies *copies)
{
    return copies->stranger != 0;
}

void copies_look_back(struct copies *copies)
{
    copies->looks_back = true;
}

static const struct planned *subscription_at(const struct copies *copies, const struct copy *copy,
                                             size_t i)
{
    assert(i < copy->count && copy->found[i].rule < copies->plans->count);
    return &copies->plans->list[copy->found[i].rule];
}

static bool has(const struct planned *planned, uint32_t plan)
{
    assert(planned->born < planned->gone);
    return planned->born <= plan && plan < planned->gone;
}

/* Was there, before the message came, a plan with this subscription in which the group had none for
 * the topic? */
static bool stands_in_for(const struct copies *copies, const struct copy *copy,
                          const struct planned *planned)
{
    const struct plans *plans = copies->plans;

    for (size_t i = 0; i < plans->step_count; i++) {
        uint32_t plan = plans->steps[i].number;
        bool has_own = false;

        if (i > 0 && plans->steps[i].behind >= copy->message->sequence) {
            break;
        }
        for (size_t j = 0; j < copy->count && !has_own; j++) {
            const struct planned *other = subscription_at(copies, copy, j);
            has_own = has(other, plan) && slice_is(filter_share(other->filter), copy->share);
        }
        if (!has_own && has(planned, plan)) {
            return true;
        }
    }
    return false;
}

/* Has the subscription QoS 0, while another one of its group brings the topic with a higher QoS? */
static bool is_lesser(const struct copies *copies, const struct copy *copy,
                      const struct planned *planned)
{
    uint32_t plan = plans_at(copies->plans, copy->message->sequence);

    for (size_t i = 0; planned->qos == 0 && has(planned, plan) && i < copy->count; i++) {
        const struct planned *other = subscription_at(copies, copy, i);

        if (other->qos > 0 && has(other, plan) &&
            bringers_bring(&copies->bringers, (size_t) (other - copies->plans->list),
                           copy->message->sequence) &&
            slice_equal(filter_share(other->filter), filter_share(planned->filter))) {
            return true;
        }
    }
    return false;
}

/* May copies for this subscription count for the group? */
static bool is_eligible(const struct copies *copies, const struct copy *copy,
                        const struct planned *planned)
{
    return (slice_is(filter_share(planned->filter), copy->share) ||
            stands_in_for(copies, copy, planned)) &&
           !is_lesser(copies, copy, planned);
}

/* The subscriptions that a copy came for. "Known" means: of a remembered plan. */
struct origin {
    uint32_t keys[BROUGHT_MAX];
    size_t count;
    uint64_t behind; /* only messages behind this sequence can have a copy for all of them */
    uint32_t born;   /* the first plan that has all known ones … */
    uint32_t gone;   /* … and the first later plan that lacks one of them */
    bool known;      /* at least one is known */
    bool eligible;   /* a known one may count for the group; true also when none is known */
};

static void add_origin(struct origin *origin, uint32_t key, uint64_t behind)
{
    assert(origin->count <= BROUGHT_MAX);
    if (origin->count < BROUGHT_MAX) {
        origin->keys[origin->count++] = key;
    }
    origin->behind = behind > origin->behind ? behind : origin->behind;
}

static void add_planned_origin(struct copies *copies, struct origin *origin,
                               const struct planned *planned, uint64_t sequence)
{
    bringers_note(&copies->bringers, (size_t) (planned - copies->plans->list), sequence);
    add_origin(origin, copies->keys[planned - copies->plans->list],
               plans_behind(copies->plans, planned->born));
    origin->born = !origin->known || planned->born > origin->born ? planned->born : origin->born;
    origin->gone = !origin->known || planned->gone < origin->gone ? planned->gone : origin->gone;
    origin->known = true;
}

static const struct planned *find_planned(const struct copies *copies, const struct copy *copy,
                                          uint32_t identifier)
{
    for (size_t i = 0; i < copy->count; i++) {
        if (subscription_at(copies, copy, i)->identifier == identifier) {
            return subscription_at(copies, copy, i);
        }
    }
    return NULL;
}

static void find_origin(struct copies *copies, const struct copy *copy, struct origin *origin)
{
    struct slice properties = copy->message->properties;
    struct property_item item;

    *origin = (struct origin){.count = 0};
    while (property_next(&properties, &item)) {
        const struct planned *planned;

        if (item.id != PROPERTY_SUBSCRIPTION || item.number == 0) {
            continue;
        }
        planned = find_planned(copies, copy, item.number);
        if (planned == NULL) {
            add_origin(origin, item.number, 0);
            copies->stranger += copies->stranger == 0 ? copy->message->sequence : 0;
            continue;
        }
        origin->eligible |= is_eligible(copies, copy, planned);
        add_planned_origin(copies, origin, planned, copy->message->sequence);
    }
    origin->eligible |= !origin->known;
}

static struct track *track_of(struct copies *copies, uint64_t hash, uint8_t broker,
                              struct slice share)
{
    uint64_t facts[3] = {hash, broker, XXH3_64bits(share.data, share.length)};
    uint64_t key = XXH3_64bits(facts, sizeof(facts));

    return tracks_get(&copies->tracks, key == 0 ? 1 : key);
}

/* Has the subscription brought the tracked message? A track knows filters only. If equal messages
 * came before, a subscription that was made after the message is not taken for a former one with
 * the same filter (an edit that was undone): otherwise the next equal message would be missing. */
static bool may_have_brought(const struct copies *copies, const struct planned *planned,
                             const struct track *track)
{
    return track_has(track, copies->keys[planned - copies->plans->list]) &&
           (!track_repeats(track) || plans_behind(copies->plans, planned->born) < track->sequence);
}

/* Does the plan of the copy's time still have a subscription that brought the tracked message? */
static bool stands(const struct copies *copies, const struct copy *copy, const struct track *track)
{
    uint32_t plan = plans_at(copies->plans, copy->message->sequence);

    for (size_t i = 0; i < copy->count; i++) {
        const struct planned *planned = subscription_at(copies, copy, i);

        if (has(planned, plan) && may_have_brought(copies, planned, track)) {
            return true;
        }
    }
    return false;
}

/* Was the tracked message brought by a subscription that was made while those of this copy existed?
 * If so, this is a copy of that message, however much later it comes: Mosquitto lets copies
 * overtake others. */
static bool is_accompanied(const struct copies *copies, const struct copy *copy,
                           const struct track *track, const struct origin *origin)
{
    for (size_t i = 0; origin->known && i < copy->count; i++) {
        const struct planned *planned = subscription_at(copies, copy, i);

        if (planned->born >= origin->born && planned->born < origin->gone &&
            may_have_brought(copies, planned, track)) {
            return true;
        }
    }
    return false;
}

/* Is it another copy of the newest message with this topic and content? */
static bool is_twin(const struct copies *copies, const struct copy *copy, const struct track *track,
                    const struct origin *origin)
{
    if (track->sequence == 0 || track->sequence <= origin->behind) {
        return false;
    }
    if (!track_is_near(track, copy->message) && !stands(copies, copy, track) &&
        !is_accompanied(copies, copy, track, origin)) {
        return false;
    }
    for (size_t i = 0; i < origin->count; i++) {
        if (track_has(track, origin->keys[i])) {
            return false;
        }
    }
    return true;
}

/* How many subscriptions may bring the message. A covered one counts from the first message on that
 * it has brought. */
static size_t sources(const struct copies *copies, const struct copy *copy)
{
    size_t count = 0;

    for (size_t i = 0; i < copy->count; i++) {
        const struct planned *planned = subscription_at(copies, copy, i);

        count += !planned->covered || copies->bringers.list[planned - copies->plans->list].last > 0;
    }
    return count;
}

/* Is it the first copy of its message? Remembers the copy. */
static bool is_first(struct copies *copies, const struct copy *copy, struct track *track,
                     const struct origin *origin)
{
    const struct message *message = copy->message;
    bool twin = is_twin(copies, copy, track, origin);

    assert(track->sequence < message->sequence); /* otherwise the caller forgot copies_rewind() */
    if (!twin) {
        track_begin(track, message->sequence, message->received_at_us);
    }
    for (size_t i = 0; i < origin->count; i++) {
        track_add(track, origin->keys[i], message->sequence);
    }
    return !twin;
}

static bool judge(struct copies *copies, const struct copy *copy)
{
    struct origin origin;
    struct track *track;

    find_origin(copies, copy, &origin);
    bool single = sources(copies, copy) < 2 && origin.known && copies->stranger == 0;
    if (origin.count == 0 || !origin.eligible || single) {
        return origin.count == 0 || origin.eligible;
    }
    track =
        track_of(copies, message_hash(copy->message), copy->message->broker, slice_of(copy->share));
    return is_first(copies, copy, track, &origin);
}

/* Learns of one deleted message. A note names no topic, so `found` lists all subscriptions; of
 * these only the one that brought the message matters. */
static void take_note(struct copies *copies, const struct copy_note *note,
                      const struct route *found)
{
    const struct message message = {.sequence = note->sequence};
    const struct copy copy = {.message = &message, .found = found, .count = copies->plans->count};
    const struct planned *planned = find_planned(copies, &copy, note->subscription);
    struct origin origin = {.count = 0};

    if (planned != NULL) {
        add_planned_origin(copies, &origin, planned, note->sequence);
        (void) is_first(copies, &copy,
                        track_of(copies, note->hash, note->broker, filter_share(planned->filter)),
                        &origin);
    }
}

bool copies_want_notes(const struct copies *copies)
{
    return copies->plans != NULL && !copies->noted;
}

void copies_take_notes(struct copies *copies, const struct copy_note *notes, size_t count)
{
    size_t subscriptions = copies_want_notes(copies) ? copies->plans->count : 0;
    struct route *found = memory_alloc((subscriptions + 1) * sizeof(*found));

    assert(copies->judged == 0);
    for (size_t i = 0; i < subscriptions; i++) {
        found[i].rule = (unsigned) i;
    }
    for (size_t i = count > COPIES_REACH_START ? count - COPIES_REACH_START : 0;
         subscriptions > 1 && i < count; i++) {
        assert(i == 0 || notes[i - 1].sequence <= notes[i].sequence);
        if (notes[i].subscription != 0) {
            take_note(copies, &notes[i], found);
        }
    }
    copies->noted = copies->plans != NULL;
    free(found);
}

static bool is_for(const struct planned *planned, const struct copy_wish *wish)
{
    return (wish->serving != NULL && strcmp(planned->filter, wish->serving) == 0) ||
           (wish->filter != NULL && strcmp(planned->filter, wish->filter) == 0);
}

/* For a retained message: did the plan of its time have no subscription for the rule, and did the
 * message come for that plan's oldest subscription that matches the topic? */
static bool served_before(const struct copies *copies, const struct copy *copy,
                          const struct copy_wish *wish)
{
    const struct planned *oldest = NULL;

    for (size_t i = 0; i < copy->count; i++) {
        const struct planned *planned = subscription_at(copies, copy, i);

        if (planned->identifier != 0 && !planned->covered &&
            has(planned, plans_at(copies->plans, copy->message->sequence))) {
            if (is_for(planned, wish)) {
                return false;
            }
            oldest = oldest == NULL || planned->rank < oldest->rank ? planned : oldest;
        }
    }
    return oldest != NULL && message_came_for(copy->message, oldest->identifier);
}

/* For a retained message: did it come because of the SUBSCRIBE that serves the rule? */
static bool serves(const struct copies *copies, const struct copy *copy,
                   const struct copy_wish *wish)
{
    bool known = false;

    for (size_t i = 0; i < copy->count; i++) {
        const struct planned *planned = subscription_at(copies, copy, i);

        if (planned->identifier != 0 && message_came_for(copy->message, planned->identifier)) {
            known = true;
            if (is_for(planned, wish)) {
                return true;
            }
        }
    }
    return !known || (copies->looks_back && served_before(copies, copy, wish));
}

/* Several rules ask about one message: rules of the same share group get the same answer. */
static bool ask(struct copies *copies, const struct copy *copy)
{
    if (copies->judged != copy->message->sequence) {
        forget_answers(copies);
        copies->judged = copy->message->sequence;
    }
    for (size_t i = 0; i < copies->answer_count; i++) {
        if (strcmp(copies->answers[i].share, copy->share) == 0) {
            return copies->answers[i].counts;
        }
    }
    copies->answers = memory_grow(copies->answers, copies->answer_count, &copies->answer_capacity,
                                  sizeof(*copies->answers));
    copies->answers[copies->answer_count] =
        (struct answer){.share = copy->share[0] == '\0' ? no_share : memory_strdup(copy->share),
                        .counts = judge(copies, copy)};
    return copies->answers[copies->answer_count++].counts;
}

bool copies_count(struct copies *copies, const struct message *message,
                  const struct copy_wish *wish)
{
    struct copy copy = {.message = message, .share = wish->share};

    assert(wish->share != NULL && (wish->filter != NULL || wish->serving == NULL));
    if (copies == NULL || copies->plans == NULL || message->properties.length == 0) {
        return true;
    }
    copy.count = router_find(copies->router, message->topic, &copy.found);
    if (message->retained) {
        return serves(copies, &copy, wish);
    }
    return ask(copies, &copy);
}
