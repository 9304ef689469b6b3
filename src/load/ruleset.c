/* SPDX-License-Identifier: MIT */
#include "load/ruleset.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/metrics.h"
#include "load/rule_advice.h"
#include "route/subscription_plan.h"

/* The most memory that the router's cache of topics may take. */
#define ROUTER_CACHE_BYTES ((size_t) 8 * 1024 * 1024)

/* The topics of all rules, in the order of the rules. */
static void gather_filters(struct ruleset *ruleset)
{
    size_t count = 0;

    for (size_t i = 0; i < ruleset->count; i++) {
        count += ruleset->rules[i]->topics.count;
    }
    ruleset->filters = memory_alloc((count + 1) * sizeof(*ruleset->filters));
    ruleset->owners = memory_alloc((count + 1) * sizeof(*ruleset->owners));
    for (unsigned i = 0; i < ruleset->count; i++) {
        const struct rule_topics *topics = &ruleset->rules[i]->topics;

        for (size_t k = 0; k < topics->count; k++) {
            ruleset->owners[ruleset->filter_count] = i;
            ruleset->filters[ruleset->filter_count++] = topics->filters[k];
        }
    }
    assert(ruleset->filter_count == count);
}

/* Plans the subscriptions that together bring all messages of the filters; by filter, not by
 * rule. */
static void plan_subscriptions(struct ruleset *ruleset, bool mqtt5, struct problems *problems)
{
    struct planned_rule *planned = memory_alloc((ruleset->filter_count + 1) * sizeof(*planned));

    for (size_t i = 0; i < ruleset->filter_count; i++) {
        planned[i].filter = ruleset->filters[i];
        planned[i].options = ruleset->rules[ruleset->owners[i]]->options;
    }
    subscription_plan(planned, ruleset->filter_count, mqtt5, &ruleset->wanted, problems);
    free(planned);
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
    gather_filters(ruleset);
    plan_subscriptions(ruleset, mqtt5, problems);
    ruleset->router = router_new(ruleset->filters, ruleset->filter_count, ROUTER_CACHE_BYTES);
    return ruleset;
}

void ruleset_enter(struct ruleset *ruleset)
{
    for (size_t i = 0; i < ruleset->count; i++) {
        ruleset->rules[i]->metrics = metrics_rule(ruleset->rules[i]->name);
    }
}

int64_t ruleset_memory_bytes(const struct ruleset *ruleset, int64_t message_bytes)
{
    const int64_t megabyte = 1024 * 1024;
    int64_t largest = message_bytes;
    bool rows = false;

    assert(message_bytes >= 0);
    for (size_t i = 0; i < ruleset->count; i++) {
        const struct format_options *options = &ruleset->rules[i]->options->decoding;

        rows = rows || ruleset->rules[i]->rows != NULL;
        if (options->compression != COMPRESSION_NONE && options->max_decoded_bytes > largest) {
            largest = options->max_decoded_bytes;
        }
    }
    /* A payload has NODES_COUNT_MAX values at most, whatever its size. */
    int64_t by_size = 80 * largest, by_values = 150 * megabyte + 4 * largest;
    return (rows ? 84 : 20) * megabyte + (by_size < by_values ? by_size : by_values);
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
    for (size_t i = 0; ruleset->subscribed != NULL && i < ruleset->filter_count; i++) {
        free(ruleset->subscribed[i]);
    }
    free(ruleset->subscribed);
    free(ruleset->serving);
    free(ruleset->owners);
    free(ruleset->filters);
    free(ruleset->rules);
    free(ruleset);
}

void ruleset_set_plans(struct ruleset *ruleset, const struct plans *plans)
{
    assert(ruleset->plans == NULL);
    ruleset->plans = plans;
    ruleset->subscribed = memory_alloc((ruleset->filter_count + 1) * sizeof(char *));
    ruleset->serving = memory_alloc((ruleset->filter_count + 1) * sizeof(*ruleset->serving));
    for (size_t i = 0; i < ruleset->filter_count; i++) {
        const struct rule *rule = ruleset->rules[ruleset->owners[i]];

        ruleset->subscribed[i] =
            subscription_full_filter(rule->share, topic_filter_mqtt(ruleset->filters[i]));
        ruleset->serving[i] = plans_serving(plans, ruleset->subscribed[i]);
    }
}

/* The router gives filters in the order of rules, so the filters of one rule stand together. A
 * message that no filter matches still goes through copies_count(): of several copies only one is
 * counted as unmatched. */
enum routing ruleset_find(const struct ruleset *ruleset, struct copies *copies,
                          const struct message *message, struct route *routes, size_t *count)
{
    const struct route *found;
    size_t matching = router_find(ruleset->router, message->topic, &found);
    size_t counting = 0;

    *count = 0;
    for (size_t i = 0; i < matching; i++) {
        unsigned filter = found[i].rule;
        unsigned owner = ruleset->owners[filter];
        const struct rule *rule = ruleset->rules[owner];
        const struct copy_wish wish = {
            .share = rule->share,
            .filter = ruleset->subscribed == NULL ? NULL : ruleset->subscribed[filter],
            .serving = ruleset->serving == NULL ? NULL : ruleset->serving[filter],
        };

        if (i > 0 && ruleset->owners[found[i - 1].rule] == owner) {
            continue; /* a rule counts once; the first of its topics that matches decides */
        }

        assert(filter < ruleset->filter_count && owner < ruleset->count);
        if (!copies_count(copies, message, &wish)) {
            continue;
        }
        counting++;
        if (!message->retained || rule->options->retained != RETAINED_IGNORE) {
            routes[(*count)++] = (struct route){.rule = owner, .captures = found[i].captures};
        }
    }
    if (matching == 0) {
        const struct copy_wish anybody = {.share = ""};

        return copies_count(copies, message, &anybody) ? ROUTING_UNMATCHED : ROUTING_COPY;
    }
    assert(*count <= counting && counting <= ruleset->count);
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
