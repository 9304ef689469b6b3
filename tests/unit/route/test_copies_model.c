/*
 * Property test of route/plan and route/copies: random edits of the subscriptions, a broker that
 * sends one copy for all or one for each, a queue in front of the journal, a loader that is behind,
 * new processes and databases that go back. The model:
 *
 *   - No publication counts twice, for any share group.
 *   - A publication that matches a subscription of the group in the session counts.
 *   - Both also hold where a copy overtakes the broker's queue, and where the journal deletes what
 *     is stored and only the notes of it are left.
 *   - While each plan since the one that stood last matches the topic, the session always holds such
 *     a subscription: an edit leaves no moment without.
 *   - What is read again is decided as before.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/buf.h"
#include "base/memory.h"
#include "core/property.h"
#include "route/copies.h"
#include "route/plan_text.h"
#include "route/topic_filter.h"
#include "unit.h"

enum { COPIES_MAX = 20000, HELD_MAX = 32, GROUPS = 2, PUBLICATIONS_MAX = 3000 };

static const char *const filters[] = {"n/a", "n/+",   "n/#",          "+/a",
                                      "#",   "n/b/#", "$share/g/n/+", "$share/g/#"};
static const char *const topics[] = {"n/a", "n/b", "x/a", "n/b/c"};
static const char *const groups[GROUPS] = {"", "g"};

struct delivery {
    struct message message;
    struct buf properties;
    char payload[16];
    unsigned publication;
    signed char decided[GROUPS]; /* -1: not yet */
};

struct world {
    unsigned seed;
    bool copy_for_each, same_content;
    bool refuses;       /* the broker refuses "#" */
    bool after_restart; /* the broker queues one copy for one of the subscriptions */
    bool overtakes;     /* sometimes the first copy of a message overtakes the broker's queue */
    bool deletes;       /* the journal deletes what is stored; no shared subscriptions (copies.h) */
    struct plans *plans;
    struct subscription_set held; /* by the broker's session */
    struct delivery *journal;     /* and behind `arrived` the broker's queue */
    size_t delivered, arrived, stored;
    uint32_t standing; /* the last plan whose subscriptions all stood in the session */
    unsigned publications;
    bool expected[GROUPS][PUBLICATIONS_MAX];
    struct copies *copies;
};

static unsigned dice(struct world *world, unsigned sides)
{
    world->seed = world->seed * 1664525U + 1013904223U;
    return (world->seed >> 8) % sides;
}

static void edit(struct world *world)
{
    struct subscription_set wanted = {0};
    const struct plan_moment moment = {.mqtt5 = true, .last = world->arrived, .first = 1};
    struct plans *next;

    if (world->plans != NULL && plans_newest(world->plans)->number > 50) {
        return;
    }
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        bool shared = filter_share(filters[i]).length > 0;

        if (dice(world, 3) == 0 && !(shared && world->deletes)) {
            subscription_set_add(&wanted,
                                 &(struct subscription){.filter = (char *) filters[i],
                                                        .qos = (uint8_t) (1 + dice(world, 2)),
                                                        .retain_handling = 1});
        }
    }
    next = plans_next(world->plans, &wanted, &moment);
    copies_use(world->copies, next); /* before anybody asks the broker */
    plans_free(world->plans);
    world->plans = next;
    subscription_set_fini(&wanted);
}

static void hold(struct world *world, const struct subscription *wanted)
{
    for (size_t i = 0; i < world->held.count; i++) {
        if (strcmp(world->held.list[i].filter, wanted->filter) == 0) {
            world->held.list[i].qos = wanted->qos;
            world->held.list[i].identifier = wanted->identifier;
            return;
        }
    }
    subscription_set_add(&world->held, wanted);
}

/* The broker refuses "#" for a while; then what it covers is subscribed. */
static bool is_subscribed(const struct world *world, const struct subscription *wanted)
{
    const char *cover = wanted->covered_by;

    return strcmp(wanted->filter, "#") == 0
               ? !world->refuses
               : cover == NULL || (world->refuses && strcmp(cover, "#") == 0);
}

static void release(struct world *world, size_t i)
{
    free(world->held.list[i].filter);
    free(world->held.list[i].covered_by);
    world->held.list[i] = world->held.list[--world->held.count];
}

/* Who may not subscribe "#" has no subscription to it any more. Until all is subscribed nothing is
 * promised. */
static void refuse(struct world *world, bool refuses)
{
    world->standing = refuses == world->refuses ? world->standing : 0;
    world->refuses = refuses;
    for (size_t i = world->held.count; refuses && i > 0; i--) {
        if (strcmp(world->held.list[i - 1].filter, "#") == 0) {
            release(world, i - 1);
        }
    }
}

/* One SUBSCRIBE or UNSUBSCRIBE on the way to the newest plan. */
static void subscribe_step(struct world *world)
{
    struct subscription_set wanted = {0};
    bool done = false;

    plans_subscriptions(world->plans, &wanted);
    for (size_t i = 0; i < wanted.count && !done; i++) {
        const struct subscription *held =
            subscription_set_find(&world->held, wanted.list[i].filter);
        if (is_subscribed(world, &wanted.list[i]) &&
            (held == NULL || held->identifier != wanted.list[i].identifier)) {
            hold(world, &wanted.list[i]);
            done = true;
        }
    }
    for (size_t i = 0; i < world->held.count && !done; i++) {
        const struct subscription *there =
            subscription_set_find(&wanted, world->held.list[i].filter);
        if (there == NULL || !is_subscribed(world, there)) {
            release(world, i);
            done = true;
        }
    }
    if (!done) {
        world->standing = plans_newest(world->plans)->number;
    }
    subscription_set_fini(&wanted);
}

/* Must a publication on this topic count for the group? *without: a plan since the one that stood
 * last does not match the topic with a filter of this group. */
static bool must_count(const struct world *world, const char *topic, const char *group,
                       bool *without)
{
    const struct plans *plans = world->plans;
    bool must = false;

    *without = false;
    for (size_t i = 0; i < plans->step_count; i++) {
        bool matches = plans->steps[i].number < world->standing;

        for (size_t j = 0; j < plans->count; j++) {
            const struct planned *each = &plans->list[j];
            matches |= each->born <= plans->steps[i].number &&
                       plans->steps[i].number < each->gone &&
                       slice_is(filter_share(each->filter), group) &&
                       mqtt_filter_matches(filter_unshared(each->filter), slice_of(topic));
        }
        *without |= !matches;
    }
    for (size_t i = 0; i < world->held.count; i++) {
        const char *filter = world->held.list[i].filter;
        must |= slice_is(filter_share(filter), group) &&
                mqtt_filter_matches(filter_unshared(filter), slice_of(topic));
    }
    return must;
}

static void deliver(struct world *world, const char *topic, const struct subscription *held,
                    bool more)
{
    struct delivery *delivery = &world->journal[world->delivered - (more ? 1 : 0)];

    if (!more) {
        *delivery = (struct delivery){.publication = world->publications, .decided = {-1, -1}};
        snprintf(delivery->payload, sizeof(delivery->payload), "%u",
                 world->same_content ? 0 : world->publications);
        world->delivered++;
        delivery->message = (struct message){.kind = MESSAGE_PUBLISH,
                                             .sequence = world->delivered,
                                             .topic = slice_of(topic),
                                             .payload = slice_of(delivery->payload)};
    }
    property_append(&delivery->properties, &(struct property_item){.id = PROPERTY_SUBSCRIPTION,
                                                                   .number = held->identifier});
    delivery->message.properties = buf_slice(&delivery->properties);
    delivery->message.qos = held->qos > delivery->message.qos ? held->qos : delivery->message.qos;
}

/* Moves the delivery to the front of the broker's queue. */
static void overtake(struct world *world, size_t at)
{
    struct delivery moved = world->journal[at];

    memmove(world->journal + world->arrived + 1, world->journal + world->arrived,
            (at - world->arrived) * sizeof(moved));
    world->journal[world->arrived] = moved;
    for (size_t i = world->arrived; i <= at; i++) {
        struct delivery *delivery = &world->journal[i];

        delivery->message.sequence = i + 1;
        delivery->message.payload = slice_of(delivery->payload);
    }
}

static void publish(struct world *world)
{
    const char *topic = topics[dice(world, 4)];
    bool any = false, plain = false;
    size_t first = dice(world, (unsigned) world->held.count + 1), before = world->delivered;

    if (world->publications == PUBLICATIONS_MAX) {
        return;
    }
    for (size_t k = 0; k < world->held.count; k++) {
        const struct subscription *held = &world->held.list[(first + k) % world->held.count];
        bool shared = filter_share(held->filter).length > 0;
        if ((shared || !plain || !world->after_restart) &&
            mqtt_filter_matches(filter_unshared(held->filter), slice_of(topic))) {
            plain |= !shared;
            deliver(world, topic, held, any && !world->copy_for_each);
            any = true;
        }
    }
    if (world->overtakes && world->delivered > before && dice(world, 8) == 0) {
        overtake(world, before);
    }
    for (int group = 0; group < GROUPS; group++) {
        bool without;
        bool must = must_count(world, topic, groups[group], &without);

        world->expected[group][world->publications] = must;
        CHECK(group > 0 || must || without || world->standing == 0 || world->refuses);
    }
    world->publications++;
}

static void judge(struct world *world, size_t at, bool again)
{
    struct delivery *delivery = &world->journal[at];

    for (int group = 0; group < (world->deletes ? 1 : GROUPS); group++) {
        const struct copy_wish wish = {.share = groups[group]};
        bool counts = copies_count(world->copies, &delivery->message, &wish);

        CHECK_INT_EQ(copies_count(world->copies, &delivery->message, &wish), counts);
        if (delivery->decided[group] >= 0 && !again && !world->same_content) {
            CHECK_INT_EQ(counts, delivery->decided[group]);
        }
        if (!again && (delivery->decided[group] < 0 || !world->same_content)) {
            delivery->decided[group] = counts;
        }
    }
}

static void store(struct world *world, size_t count)
{
    for (; count > 0 && world->stored < world->arrived; count--) {
        judge(world, world->stored++, false);
    }
}

/* Another place of the journal, which has deleted the messages before `kept`. */
static void go_on_from(struct world *world, size_t stored, size_t kept)
{
    size_t first = stored > COPIES_REACH ? stored - COPIES_REACH : 0;

    first = first < kept ? kept : first;
    copies_rewind(world->copies, first + 1);
    world->stored = stored;
    for (size_t at = first; at < stored; at++) {
        judge(world, at, true);
    }
}

/* What the journal knows of the messages that it has deleted. */
static void recall_notes(struct world *world, size_t kept)
{
    struct copy_note *notes = memory_alloc((kept + 1) * sizeof(*notes));

    for (size_t i = 0; i < kept; i++) {
        const struct message *message = &world->journal[i].message;
        struct property_item item;

        CHECK(property_find(message->properties, PROPERTY_SUBSCRIPTION, &item));
        notes[i] = (struct copy_note){.sequence = message->sequence,
                                      .hash = message_hash(message),
                                      .subscription = item.number};
    }
    copies_take_notes(world->copies, notes, kept);
    free(notes);
}

/* A new process, for which the journal has deleted some of what is stored. */
static void restart(struct world *world)
{
    size_t kept = world->deletes ? dice(world, (unsigned) world->stored + 1) : 0;
    struct buf text = {0};
    struct plans *plans;

    plans_to_text(world->plans, &text);
    plans = plans_from_text(buf_string(&text), world->arrived);
    CHECK(plans != NULL);
    plans_check(plans);
    copies_free(world->copies);
    world->copies = copies_new();
    copies_use(world->copies, plans);
    plans_free(world->plans);
    world->plans = plans;
    recall_notes(world, kept);
    go_on_from(world, world->stored, kept);
    buf_fini(&text);
}

static void check_once(const struct world *world)
{
    /* One a topic and change may look like the other copy of the message before. */
    size_t alike = world->same_content ? plans_newest(world->plans)->number * 4 : 0;

    for (int group = 0; group < (world->deletes ? 1 : GROUPS); group++) {
        static unsigned counted[PUBLICATIONS_MAX];
        size_t twice = 0, missing = 0;

        memset(counted, 0, sizeof(counted));
        for (size_t i = 0; i < world->arrived; i++) {
            counted[world->journal[i].publication] += world->journal[i].decided[group] == 1;
        }
        for (unsigned i = 0; i < world->publications; i++) {
            twice += counted[i] > 1;
            missing += counted[i] == 0 && world->expected[group][i];
        }
        CHECK(twice <= alike);
        CHECK(missing <= alike);
        CHECK(missing >= twice); /* who is taken for another one is not stored as well */
    }
}

static void world_end(struct world *world)
{
    for (size_t i = 0; i < world->delivered; i++) {
        buf_fini(&world->journal[i].properties);
    }
    copies_free(world->copies);
    plans_free(world->plans);
    subscription_set_fini(&world->held);
    free(world->journal);
}

static void run(unsigned seed, bool copy_for_each, bool same_content)
{
    static struct world world;

    world = (struct world){.seed = seed,
                           .copy_for_each = copy_for_each,
                           .same_content = same_content,
                           .overtakes = copy_for_each && !same_content && seed % 4 == 0,
                           .deletes = copy_for_each && !same_content && seed % 8 >= 4,
                           .journal = memory_alloc(COPIES_MAX * sizeof(struct delivery)),
                           .copies = copies_new()};
    UNIT_CASE("seed %u, %s, %s content", seed, copy_for_each ? "a copy for each" : "one for all",
              same_content ? "the same" : "other");
    edit(&world);
    for (int step = 0; step < 1500; step++) {
        unsigned what = dice(&world, 100);

        if (what < 45 && world.delivered + HELD_MAX < COPIES_MAX) {
            publish(&world);
        } else if (what < 65) {
            world.arrived += dice(&world, (unsigned) (world.delivered - world.arrived) + 1);
        } else if (what < 80) {
            store(&world, dice(&world, 20));
        } else if (what < 94) {
            subscribe_step(&world);
        } else if (what < 97) {
            edit(&world);
            refuse(&world, dice(&world, 4) == 0);
        } else if (what < 98) {
            restart(&world);
            world.after_restart = dice(&world, 3) == 0;
        } else {
            size_t back = dice(&world, (unsigned) (world.stored > 60 ? 60 : world.stored) + 1);
            size_t kept = dice(&world, 2) * (world.stored - back);

            go_on_from(&world, world.stored - back, same_content ? 0 : kept);
        }
    }
    world.arrived = world.delivered;
    store(&world, COPIES_MAX);
    check_once(&world);
    world_end(&world);
}

/* MODEL_SEEDS in the environment for a long run; few seeds keep `make check` and the sanitizers short. */
static unsigned seeds(unsigned usual)
{
    const char *wanted = getenv("MODEL_SEEDS");

    return wanted != NULL ? (unsigned) strtoul(wanted, NULL, 10) : usual;
}

static void test_each_publication_counts_once(void)
{
    for (unsigned seed = 1; seed <= seeds(30); seed++) {
        run(seed, seed % 2 == 0, false);
    }
}

static void test_equal_content(void)
{
    for (unsigned seed = 1; seed <= seeds(10); seed++) {
        run(seed, seed % 2 == 0, true);
    }
}

UNIT_MAIN("route/copies model", {"each publication counts once", test_each_publication_counts_once},
          {"equal content", test_equal_content})
