/*
 * Makes a new plan in three steps: leave out filters that another new filter covers; compare with
 * the newest plan, so that unchanged subscriptions keep their identifiers; forget plans that are
 * too old.
 *
 * SPDX-License-Identifier: MIT
 */
#include "route/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "route/topic_filter.h"

#define FORMER_KEPT_US INT64_C(604800000000) /* a week: as long as a broker keeps a session */

/* One wanted subscription on its way into the new plan. */
struct wish {
    const struct subscription *wanted;
    const struct planned *former; /* the newest plan's subscription with this filter, or NULL */
    bool unchanged;               /* former has the same options */
    bool was_left_out;            /* the newest plan left it out, with the same options */
    /* another filter covers it, and both are new or it was left out before */
    bool left_out;
    uint32_t rank;
};

struct making {
    const struct plans *before; /* may be NULL */
    struct wish *wishes;
    size_t count;
    const struct plan_moment *moment;
    uint32_t number;
};

/* Are both in the same share group, or both in none? The broker gives each group its own copies. */
static bool same_share(const char *left, const char *right)
{
    return slice_equal(filter_share(left), filter_share(right));
}

/* The subscription of the newest plan with this filter, among the covered ones or the others; NULL
 * when the newest plan has none. */
static const struct planned *find_current(const struct plans *plans, const char *filter,
                                          bool covered)
{
    for (size_t i = 0; plans != NULL && i < plans->count; i++) {
        const struct planned *each = &plans->list[i];

        if (each->gone == PLAN_NEVER && each->covered == covered &&
            strcmp(each->filter, filter) == 0) {
            return each;
        }
    }
    return NULL;
}

/* Does the new plan have this subscription of the newest one, with the same or other options? */
static bool goes_on(const struct making *making, const struct planned *former)
{
    for (size_t i = 0; i < making->count; i++) {
        const struct wish *wish = &making->wishes[i];

        if (wish->left_out == former->covered &&
            strcmp(wish->wanted->filter, former->filter) == 0) {
            return !former->covered || wish->was_left_out;
        }
    }
    return false;
}

/* A rank that is higher than all in use, so that a new subscription comes after the others. */
static uint32_t next_rank(const struct plans *plans)
{
    uint32_t next = 1;

    for (size_t i = 0; plans != NULL && i < plans->count; i++) {
        next = plans->list[i].rank >= next ? plans->list[i].rank + 1 : next;
    }
    return next;
}

static bool was_left_out(const struct plans *plans, const struct subscription *wanted)
{
    const struct planned *covered = find_current(plans, wanted->filter, true);

    return covered != NULL && covered->qos == wanted->qos &&
           covered->retain_handling == wanted->retain_handling;
}

static void make_wishes(struct making *making, const struct subscription_set *wanted)
{
    uint32_t rank = next_rank(making->before);

    making->wishes = memory_alloc((wanted->count + 1) * sizeof(struct wish));
    making->count = wanted->count;
    for (size_t i = 0; i < wanted->count; i++) {
        const struct subscription *each = &wanted->list[i];
        const struct planned *former = find_current(making->before, each->filter, false);

        making->wishes[i] = (struct wish){
            .wanted = each,
            .former = former,
            .unchanged = former != NULL && former->qos == each->qos &&
                         former->retain_handling == each->retain_handling &&
                         (former->identifier != 0) == making->moment->mqtt5,
            .was_left_out = was_left_out(making->before, each),
            .left_out = each->covered_by != NULL,
            .rank = former != NULL ? former->rank : rank++,
        };
    }
}

static bool has_wildcard(const char *filter)
{
    return strpbrk(filter, "+#") != NULL;
}

/* Can the wide subscription replace the narrow one: same group, at least its QoS, the retained
 * messages that it wants? */
static bool serves(const struct subscription *wide, const struct subscription *narrow)
{
    return same_share(wide->filter, narrow->filter) && wide->qos >= narrow->qos &&
           (wide->retain_handling == narrow->retain_handling ||
            narrow->retain_handling == RETAIN_DO_NOT_SEND) &&
           mqtt_filter_covers(filter_unshared(wide->filter), filter_unshared(narrow->filter));
}

static void leave_out_covered(struct making *making)
{
    for (size_t i = 0; i < making->count; i++) {
        struct wish *wish = &making->wishes[i];

        for (size_t j = 0; j < making->count && wish->former == NULL && !wish->left_out; j++) {
            const struct wish *other = &making->wishes[j];

            wish->left_out = j != i && (other->former == NULL || wish->was_left_out) &&
                             !other->left_out && has_wildcard(other->wanted->filter) &&
                             serves(other->wanted, wish->wanted);
        }
    }
}

static bool is_the_same(const struct making *making)
{
    size_t current = 0;

    for (size_t i = 0; making->before != NULL && i < making->before->count; i++) {
        const struct planned *former = &making->before->list[i];

        if (former->gone == PLAN_NEVER && !goes_on(making, former)) {
            return false;
        }
        current += former->gone == PLAN_NEVER;
    }
    for (size_t i = 0; i < making->count; i++) {
        const struct wish *wish = &making->wishes[i];

        if (wish->left_out ? !wish->was_left_out : !wish->unchanged) {
            return false;
        }
    }
    return making->before != NULL && current == making->count;
}

static bool is_used(const struct plans *plans, uint32_t identifier)
{
    for (size_t i = 0; i < plans->count; i++) {
        if (plans->list[i].identifier == identifier) {
            return true;
        }
    }
    return false;
}

/* In the first plan an identifier depends on the filter alone, so that copies which the broker
 * queued for an earlier journal carry the same one. In later plans an identifier differs from all
 * that were used before. */
static uint32_t new_identifier(const struct making *making, const struct plans *plans,
                               const char *filter)
{
    uint32_t identifier = making->before == NULL ? subscription_identifier(filter) : 0;

    for (unsigned salt = 0; identifier == 0 || is_used(plans, identifier); salt++) {
        char *text = memory_printf("%s %u %llu %u", filter, making->number,
                                   (unsigned long long) making->moment->last, salt);
        identifier = subscription_identifier(text);
        free(text);
    }
    assert(identifier > 0 && !is_used(plans, identifier));
    return identifier;
}

static void add_planned(struct plans *plans, const struct planned *planned)
{
    plans->list = memory_resize(plans->list, (plans->count + 1) * sizeof(plans->list[0]));
    plans->list[plans->count] = *planned;
    plans->list[plans->count++].filter = memory_strdup(planned->filter);
}

static void add_step(struct plans *plans, const struct plan_step *step)
{
    plans->steps = memory_resize(plans->steps, (plans->step_count + 1) * sizeof(plans->steps[0]));
    plans->steps[plans->step_count++] = *step;
}

/* Plans are immutable once other threads read them, so changes are made to a copy. */
static struct plans *copy_plans(const struct plans *before)
{
    struct plans *plans = memory_alloc(sizeof(*plans));

    for (size_t i = 0; before != NULL && i < before->count; i++) {
        add_planned(plans, &before->list[i]);
    }
    for (size_t i = 0; before != NULL && i < before->step_count; i++) {
        add_step(plans, &before->steps[i]);
    }
    return plans;
}

/* Adds the wanted subscription, unless the newest plan has it with the same options. With other
 * options the former subscription ends and a new one begins, with an identifier of its own. */
static void take_wish(const struct making *making, struct plans *plans, const struct wish *wish)
{
    const struct subscription *wanted = wish->wanted;

    assert(wish->former == NULL || (wish->former->gone == PLAN_NEVER && !wish->former->covered));
    if (wish->left_out ? wish->was_left_out : wish->unchanged) {
        return;
    }
    if (wish->former != NULL) {
        plans->list[wish->former - making->before->list].gone = making->number;
    }
    add_planned(
        plans,
        &(struct planned){
            .filter = wanted->filter,
            .qos = wanted->qos,
            .retain_handling = wanted->retain_handling,
            .identifier = making->moment->mqtt5 ? new_identifier(making, plans, wanted->filter) : 0,
            .rank = wish->rank,
            .born = making->number,
            .gone = PLAN_NEVER,
            .covered = wish->left_out,
        });
}

static void end_unwanted(const struct making *making, struct plans *plans)
{
    for (size_t i = 0; making->before != NULL && i < making->before->count; i++) {
        const struct planned *former = &making->before->list[i];

        if (former->gone == PLAN_NEVER && !goes_on(making, former)) {
            plans->list[i].gone = making->number;
        }
    }
}

/* Forgets the oldest plan, with the subscriptions that no later plan has. */
static void forget_oldest(struct plans *plans)
{
    size_t kept = 0;

    assert(plans->step_count > 1); /* the newest plan stays */
    plans->step_count--;
    memmove(plans->steps, plans->steps + 1, plans->step_count * sizeof(plans->steps[0]));
    for (size_t i = 0; i < plans->count; i++) {
        if (plans->list[i].gone <= plans->steps[0].number) {
            free(plans->list[i].filter);
        } else {
            plans->list[kept++] = plans->list[i];
        }
    }
    plans->count = kept;
}

/* A plan is needed while the journal holds a message from before the next plan, and for a while
 * longer, because the broker's queue may still have copies with the plan's identifiers. */
static void forget_old(struct plans *plans, const struct plan_moment *moment)
{
    while (plans->step_count > PLANS_MAX ||
           (plans->step_count > 1 && plans->steps[1].behind < moment->first &&
            plans->steps[1].made_us < moment->now_us - FORMER_KEPT_US)) {
        forget_oldest(plans);
    }
}

static int planned_compare(const void *left, const void *right)
{
    const struct planned *a = left, *b = right;

    return a->rank != b->rank ? (a->rank > b->rank) - (a->rank < b->rank)
                              : (a->born > b->born) - (a->born < b->born);
}

static void sort_planned(struct plans *plans)
{
    if (plans->count > 0) {
        qsort(plans->list, plans->count, sizeof(plans->list[0]), planned_compare);
    }
}

struct plans *plans_next(const struct plans *before, const struct subscription_set *wanted,
                         const struct plan_moment *moment)
{
    struct making making = {.before = before, .moment = moment};
    struct plans *plans = copy_plans(before);
    uint64_t behind = before == NULL ? 0 : plans_newest(before)->behind;

    assert(moment->first <= moment->last + 1);
    making.number = before == NULL ? 1 : plans_newest(before)->number + 1;
    make_wishes(&making, wanted);
    if (moment->mqtt5) {
        leave_out_covered(&making);
    }
    if (!is_the_same(&making)) {
        end_unwanted(&making, plans);
        for (size_t i = 0; i < making.count; i++) {
            take_wish(&making, plans, &making.wishes[i]);
        }
        add_step(plans, &(struct plan_step){.number = making.number,
                                            .behind = moment->last > behind ? moment->last : behind,
                                            .made_us = moment->now_us});
    }
    forget_old(plans, moment);
    sort_planned(plans);
    free(making.wishes);
    plans_check(plans);
    return plans;
}

void plans_free(struct plans *plans)
{
    if (plans == NULL) {
        return;
    }
    for (size_t i = 0; i < plans->count; i++) {
        free(plans->list[i].filter);
    }
    free(plans->list);
    free(plans->steps);
    free(plans);
}

static void add_subscription(const struct planned *planned, const char *covered_by,
                             struct subscription_set *set)
{
    char *cover = covered_by == NULL ? NULL : memory_strdup(covered_by);

    subscription_set_add(set, &(struct subscription){.filter = planned->filter,
                                                     .qos = planned->qos,
                                                     .retain_handling = planned->retain_handling,
                                                     .identifier = planned->identifier,
                                                     .covered_by = cover});
    free(cover);
}

void plans_subscriptions(const struct plans *plans, struct subscription_set *set)
{
    assert(set->count == 0);
    for (size_t i = 0; i < plans->count; i++) {
        if (plans->list[i].gone == PLAN_NEVER && !plans->list[i].covered) {
            add_subscription(&plans->list[i], NULL, set);
        }
    }
    for (size_t i = 0; i < plans->count; i++) {
        const struct planned *each = &plans->list[i];
        const char *cover = plans_serving(plans, each->filter);

        /* In a file of plans that a person has edited the covering filter may be missing. */
        if (each->gone == PLAN_NEVER && each->covered && cover != NULL) {
            add_subscription(each, cover, set);
        }
    }
}

const char *plans_serving(const struct plans *plans, const char *filter)
{
    const struct planned *own = find_current(plans, filter, false);

    if (own != NULL) {
        return own->filter;
    }
    for (size_t i = 0; i < plans->count; i++) {
        const struct planned *each = &plans->list[i];

        if (each->gone == PLAN_NEVER && !each->covered && same_share(each->filter, filter) &&
            mqtt_filter_covers(filter_unshared(each->filter), filter_unshared(filter))) {
            return each->filter;
        }
    }
    return NULL;
}

void plans_check(const struct plans *plans)
{
    assert(plans->step_count > 0 && plans->step_count <= PLANS_MAX);
    for (size_t i = 1; i < plans->step_count; i++) {
        assert(plans->steps[i - 1].number < plans->steps[i].number);
        assert(plans->steps[i - 1].behind <= plans->steps[i].behind);
    }
    for (size_t i = 0; i < plans->count; i++) {
        const struct planned *each = &plans->list[i];

        assert(each->born < each->gone && each->born <= plans_newest(plans)->number);
        assert(each->gone > plans->steps[0].number);
        assert(i == 0 || planned_compare(each - 1, each) <= 0);
    }
}

uint32_t plans_at(const struct plans *plans, uint64_t sequence)
{
    size_t i = plans->step_count - 1;

    assert(plans->step_count > 0);
    while (i > 0 && plans->steps[i].behind >= sequence) {
        i--;
    }
    return plans->steps[i].number;
}

uint64_t plans_behind(const struct plans *plans, uint32_t number)
{
    for (size_t i = plans->step_count; i > 0; i--) {
        if (plans->steps[i - 1].number <= number) {
            return plans->steps[i - 1].behind;
        }
    }
    return 0;
}
