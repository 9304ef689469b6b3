/* SPDX-License-Identifier: MIT */
#include "load/ruleset.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "core/property.h"
#include "load/rule_advice.h"
#include "route/subscription_plan.h"

/* What the router may keep of topics it has seen. */
#define ROUTER_CACHE_BYTES ((size_t) 8 * 1024 * 1024)

static void plan_subscriptions(struct ruleset *ruleset, bool mqtt5, struct problems *problems)
{
    struct planned_rule *planned = memory_alloc((ruleset->count + 1) * sizeof(*planned));
    uint32_t *identifiers = memory_alloc((ruleset->count + 1) * sizeof(*identifiers));

    for (size_t i = 0; i < ruleset->count; i++) {
        planned[i].filter = ruleset->rules[i]->filter;
        planned[i].options = ruleset->rules[i]->options;
    }
    subscription_plan(planned, ruleset->count, mqtt5, &ruleset->subscriptions, identifiers,
                      problems);
    for (size_t i = 0; i < ruleset->count; i++) {
        ruleset->rules[i]->subscription = identifiers[i];
    }
    free(planned);
    free(identifiers);
}

static void make_router(struct ruleset *ruleset)
{
    ruleset->filters = memory_alloc((ruleset->count + 1) * sizeof(*ruleset->filters));
    for (size_t i = 0; i < ruleset->count; i++) {
        ruleset->filters[i] = ruleset->rules[i]->filter;
    }
    ruleset->router = router_new(ruleset->filters, ruleset->count, ROUTER_CACHE_BYTES);
}

struct ruleset *ruleset_compile(const struct rule_options *options, size_t count,
                                const char *client_id, bool mqtt5, struct problems *problems)
{
    struct ruleset *ruleset = memory_alloc(sizeof(*ruleset));
    size_t errors = problems->errors;

    ruleset->client_id = client_id;
    ruleset->rules = memory_alloc((count + 1) * sizeof(struct rule *));
    for (size_t i = 0; i < count; i++) {
        struct rule *rule = rule_compile(&options[i], problems);
        if (rule != NULL) {
            ruleset->rules[ruleset->count++] = rule;
        }
    }
    if (problems->errors > errors) {
        ruleset_free(ruleset);
        return NULL;
    }
    for (size_t i = 0; i < ruleset->count; i++) {
        rule_advise(ruleset->rules[i], mqtt5, problems);
    }
    rules_advise(ruleset->rules, ruleset->count, problems);
    plan_subscriptions(ruleset, mqtt5, problems);
    make_router(ruleset);
    return ruleset;
}

void ruleset_free(struct ruleset *ruleset)
{
    if (ruleset == NULL) {
        return;
    }
    router_free(ruleset->router);
    subscription_set_fini(&ruleset->subscriptions);
    for (size_t i = 0; i < ruleset->count; i++) {
        rule_free(ruleset->rules[i]);
    }
    free(ruleset->retired);
    free(ruleset->filters);
    free(ruleset->rules);
    free(ruleset);
}

static bool is_retired(const struct ruleset *ruleset, uint32_t identifier)
{
    for (size_t i = 0; i < ruleset->retired_count; i++) {
        if (ruleset->retired[i] == identifier) {
            return true;
        }
    }
    return false;
}

static bool is_planned(const struct ruleset *ruleset, uint32_t identifier)
{
    for (size_t i = 0; i < ruleset->subscriptions.count; i++) {
        if (ruleset->subscriptions.list[i].identifier == identifier) {
            return true;
        }
    }
    return false;
}

void ruleset_retire(struct ruleset *ruleset, uint32_t identifier)
{
    if (identifier == 0 || is_planned(ruleset, identifier) || is_retired(ruleset, identifier)) {
        return;
    }
    ruleset->retired =
        memory_resize(ruleset->retired, (ruleset->retired_count + 1) * sizeof(ruleset->retired[0]));
    ruleset->retired[ruleset->retired_count++] = identifier;
}

void ruleset_follow_rule(struct ruleset *ruleset, const char *name, uint32_t former,
                         const char *filter, const struct takeover *takeover)
{
    for (size_t i = 0; i < ruleset->count; i++) {
        struct rule *rule = ruleset->rules[i];

        if (strcmp(rule->name, name) != 0 || former == 0 || rule->subscription == 0) {
            continue;
        }
        takeover_free(rule->takeover);
        if (former != rule->subscription) {
            rule->takeover = takeover_new(takeover, former, filter, rule->subscription);
        } else {
            rule->takeover = takeover == NULL ? NULL : takeover_copy(takeover);
        }
    }
}

static void set_behind(struct ruleset *ruleset, const struct rule *former, uint64_t last)
{
    for (size_t i = 0; i < ruleset->count; i++) {
        const struct rule *rule = ruleset->rules[i];

        if (rule->takeover != NULL && strcmp(rule->name, former->name) == 0 &&
            rule->subscription != former->subscription) {
            takeover_set_behind(rule->takeover, last);
        }
    }
}

void ruleset_follow(struct ruleset *ruleset, const struct ruleset *before, uint64_t last)
{
    for (size_t i = 0; i < before->retired_count; i++) {
        ruleset_retire(ruleset, before->retired[i]);
    }
    for (size_t i = 0; i < before->count; i++) {
        const struct rule *former = before->rules[i];

        ruleset_retire(ruleset, former->subscription);
        ruleset_follow_rule(ruleset, former->name, former->subscription,
                            topic_filter_mqtt(former->filter), former->takeover);
        set_behind(ruleset, former, last);
    }
}

void ruleset_saw(const struct ruleset *ruleset, const struct message *message, bool by_these)
{
    for (size_t i = 0; i < ruleset->count; i++) {
        const struct rule *rule = ruleset->rules[i];

        if (rule->takeover == NULL ||
            !mqtt_filter_matches(slice_of(topic_filter_mqtt(rule->filter)), message->topic)) {
            continue;
        }
        if (by_these) {
            (void) takeover_takes(rule->takeover, message);
        } else {
            takeover_saw(rule->takeover, message);
        }
    }
}

/*
 * Does the copy name a subscription that we have today, or had before a reload? If it does not
 * (3.1.1, a broker without identifiers, or a message that was queued under rules that changed while
 * we were away), its topic alone decides. As a rule it names that of a rule that its topic has
 * found, so that these are asked first: their number does not grow with that of all rules.
 */
static bool copy_tells(const struct ruleset *ruleset, const struct message *message,
                       const struct route *found, size_t count)
{
    struct slice properties = message->properties;
    struct property_item item;

    for (size_t i = 0; i < count; i++) {
        uint32_t subscription = ruleset->rules[found[i].rule]->subscription;
        if (subscription != 0 && message_came_for(message, subscription)) {
            return true;
        }
    }
    while (property_next(&properties, &item)) {
        if (item.id == PROPERTY_SUBSCRIPTION &&
            (is_planned(ruleset, item.number) || is_retired(ruleset, item.number))) {
            return true;
        }
    }
    return false;
}

/* Of the copies of a message, that tell what they came for: is this the one for the rule? */
static bool rule_takes(const struct rule *rule, const struct message *message)
{
    if (rule->takeover != NULL) {
        return takeover_takes(rule->takeover, message);
    }
    return rule->subscription == 0 || message_came_for(message, rule->subscription);
}

size_t ruleset_find(const struct ruleset *ruleset, const struct message *message,
                    struct route *routes)
{
    const struct route *found;
    size_t count = router_find(ruleset->router, message->topic, &found);
    /* One rule can't be fed twice unless its copy came for another's subscription, so the look is
     * worth its time only with several. */
    bool tells = message->properties.length > 0 && count > 0 &&
                 ruleset->subscriptions.count + ruleset->retired_count > 1 &&
                 copy_tells(ruleset, message, found, count);
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        const struct rule *rule = ruleset->rules[found[i].rule];

        if (message->retained && rule->options->retained == RETAINED_IGNORE) {
            continue;
        }
        if (tells && !rule_takes(rule, message)) {
            continue;
        }
        routes[kept++] = found[i];
    }
    return kept;
}
