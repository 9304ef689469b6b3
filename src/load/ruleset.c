/* SPDX-License-Identifier: MIT */
#include "load/ruleset.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "load/rule_advice.h"
#include "route/subscription_plan.h"

/* What the router may keep of topics it has seen. */
#define ROUTER_CACHE_BYTES ((size_t) 8 * 1024 * 1024)

static void plan_subscriptions(struct ruleset *ruleset, bool mqtt5, struct problems *problems)
{
    struct planned_rule *planned = memory_alloc((ruleset->count + 1) * sizeof(*planned));

    for (size_t i = 0; i < ruleset->count; i++) {
        planned[i].filter = ruleset->rules[i]->filter;
        planned[i].options = ruleset->rules[i]->options;
    }
    subscription_plan(planned, ruleset->count, mqtt5, &ruleset->wanted, problems);
    free(planned);
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
    subscription_set_fini(&ruleset->wanted);
    for (size_t i = 0; i < ruleset->count; i++) {
        rule_free(ruleset->rules[i]);
    }
    free(ruleset->serving);
    free(ruleset->filters);
    free(ruleset->rules);
    free(ruleset);
}

void ruleset_set_plans(struct ruleset *ruleset, const struct plans *plans)
{
    ruleset->plans = plans;
    free(ruleset->serving);
    ruleset->serving = memory_alloc((ruleset->count + 1) * sizeof(*ruleset->serving));
    for (size_t i = 0; i < ruleset->count; i++) {
        const struct rule *rule = ruleset->rules[i];
        char *filter = subscription_full_filter(rule->share, topic_filter_mqtt(rule->filter));

        ruleset->serving[i] = plans_serving(plans, filter);
        free(filter);
    }
}

enum routing ruleset_find(const struct ruleset *ruleset, struct copies *copies,
                          const struct message *message, struct route *routes, size_t *count)
{
    const struct route *found;
    size_t matching = router_find(ruleset->router, message->topic, &found);
    size_t counting = 0;

    *count = 0;
    for (size_t i = 0; i < matching; i++) {
        const struct rule *rule = ruleset->rules[found[i].rule];
        const struct copy_wish wish = {
            .share = rule->share,
            .serving = ruleset->serving == NULL ? NULL : ruleset->serving[found[i].rule],
        };

        if (!copies_count(copies, message, &wish)) {
            continue;
        }
        counting++;
        if (!message->retained || rule->options->retained != RETAINED_IGNORE) {
            routes[(*count)++] = found[i];
        }
    }
    if (matching == 0) {
        const struct copy_wish anybody = {.share = ""};

        return copies_count(copies, message, &anybody) ? ROUTING_UNMATCHED : ROUTING_COPY;
    }
    return counting == 0 ? ROUTING_COPY : ROUTING_TAKEN;
}

bool ruleset_subscribes(const struct ruleset *ruleset, struct slice topic)
{
    for (size_t i = 0; i < ruleset->wanted.count; i++) {
        if (mqtt_filter_matches(filter_unshared(ruleset->wanted.list[i].filter), topic)) {
            return true;
        }
    }
    return false;
}
