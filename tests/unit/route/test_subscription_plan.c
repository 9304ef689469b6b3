/* SPDX-License-Identifier: MIT */
#include "route/subscription_plan.h"

#include "base/buf.h"
#include "core/property.h"
#include "route/copies.h"
#include "route/plan.h"

#include "unit.h"

static void test_cover(void)
{
    static const struct {
        const char *left, *right, *cover;
    } cases[] = {
        {"a/+/c", "a/b/#", "a/+/#"}, {"a/#", "a", "a/#"},
        {"a/#", "a/b/c", "a/#"},     {"#", "a/b", "#"},
        {"+/b", "a/+", "+/+"},       {"a/b", "a/b", "a/b"},
        {"a/+", "a/b", "a/+"},       {"+/#", "#", "#"},
        {"a//b", "a/+/b", "a/+/b"},  {"$SYS/a", "$SYS/+", "$SYS/+"},
        {"a/", "a/+", "a/+"},        {"a/+/#", "a/b", "a/+/#"},
        {"/#", "/a", "/#"},          {"+", "/", "+/#"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%s and %s", cases[i].left, cases[i].right);
        for (int swap = 0; swap < 2; swap++) {
            struct buf cover = {0};
            struct slice left = slice_of(swap ? cases[i].right : cases[i].left);
            struct slice right = slice_of(swap ? cases[i].left : cases[i].right);
            mqtt_filter_cover(left, right, &cover);
            CHECK_SLICE_EQ(buf_slice(&cover), cases[i].cover);
            CHECK(mqtt_filter_covers(buf_slice(&cover), left));
            CHECK(mqtt_filter_covers(buf_slice(&cover), right));
            buf_fini(&cover);
        }
    }
}

#define RULES_MAX 8

struct plan_case {
    struct topic_filter *filters[RULES_MAX];
    struct rule_options options[RULES_MAX];
    struct planned_rule rules[RULES_MAX];
    size_t count;
    struct subscription_set set;
    struct plans *plans;
    struct copies *copies;
    struct problems problems;
};

static void rule_add(struct plan_case *plan, const char *topic, uint8_t qos, const char *share,
                     enum retained_policy retained)
{
    struct error error;
    size_t i = plan->count++;
    CHECK_INT_EQ(topic_filter_compile(slice_of(topic), &plan->filters[i], &error), OUTCOME_OK);
    plan->options[i] = (struct rule_options){.name = topic,
                                             .qos = qos,
                                             .share = share,
                                             .retained = retained,
                                             .place = {"f", (int) i + 1}};
    plan->rules[i] = (struct planned_rule){plan->filters[i], &plan->options[i]};
}

static void plan_make(struct plan_case *plan, bool mqtt5)
{
    subscription_plan(plan->rules, plan->count, mqtt5, &plan->set, &plan->problems);
    plan->plans = plans_next(NULL, &plan->set, &(struct plan_moment){.mqtt5 = mqtt5});
    plan->copies = copies_new();
    copies_use(plan->copies, plan->plans);
}

static void plan_fini(struct plan_case *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        topic_filter_free(plan->filters[i]);
    }
    subscription_set_fini(&plan->set);
    copies_free(plan->copies);
    plans_free(plan->plans);
    problems_fini(&plan->problems);
    *plan = (struct plan_case){0};
}

static void test_mqtt5(void)
{
    struct plan_case plan = {0};
    rule_add(&plan, "a/{x}/c", 1, "", RETAINED_NEW);
    rule_add(&plan, "a/+/c", 2, NULL, RETAINED_STORE); /* the same subscription */
    rule_add(&plan, "a/#", 0, "", RETAINED_IGNORE);
    rule_add(&plan, "a/#", 0, "g", RETAINED_NEW);
    rule_add(&plan, "a/#", 0, "h", RETAINED_NEW);
    plan_make(&plan, true);
    CHECK_INT_EQ(plan.set.count, 4);
    CHECK_TEXT_EQ(plan.set.list[0].filter, "a/+/c");
    CHECK_INT_EQ(plan.set.list[0].qos, 2);
    CHECK_INT_EQ(plan.set.list[0].retain_handling, RETAIN_SEND);
    CHECK_TEXT_EQ(plan.set.list[1].filter, "a/#");
    CHECK_INT_EQ(plan.set.list[1].retain_handling, RETAIN_DO_NOT_SEND);
    CHECK_TEXT_EQ(plan.set.list[2].filter, "$share/g/a/#");
    CHECK_TEXT_EQ(plan.set.list[3].filter, "$share/h/a/#");
    CHECK_INT_EQ(plan.problems.count, 2);
    CHECK_INT_EQ(plan.problems.errors, 0);
    plan_fini(&plan);
}

static void test_mqtt3(void)
{
    struct plan_case plan = {0};
    rule_add(&plan, "a/+/c", 0, "", RETAINED_IGNORE);
    rule_add(&plan, "x/y", 1, "", RETAINED_NEW);
    rule_add(&plan, "a/b/#", 1, "", RETAINED_NEW);
    rule_add(&plan, "a/b/c", 1, "g", RETAINED_NEW); /* shared: apart */
    rule_add(&plan, "$SYS/#", 1, "", RETAINED_NEW);
    plan_make(&plan, false);
    CHECK_INT_EQ(plan.set.count, 4);
    CHECK_TEXT_EQ(plan.set.list[0].filter, "a/+/#");
    CHECK_INT_EQ(plan.set.list[0].qos, 1);
    CHECK_INT_EQ(plan.set.list[0].retain_handling, RETAIN_SEND_IF_NEW);
    CHECK_TEXT_EQ(plan.set.list[1].filter, "x/y");
    CHECK_TEXT_EQ(plan.set.list[2].filter, "$share/g/a/b/c");
    CHECK_TEXT_EQ(plan.set.list[3].filter, "$SYS/#");
    plan_fini(&plan);

    rule_add(&plan, "a/b", 1, "", RETAINED_NEW); /* a cover that overlaps a third */
    rule_add(&plan, "x/c", 1, "", RETAINED_NEW);
    rule_add(&plan, "+/b", 1, "", RETAINED_NEW);
    rule_add(&plan, "a/+", 1, "", RETAINED_NEW);
    plan_make(&plan, false);
    CHECK_INT_EQ(plan.set.count, 1);
    CHECK_TEXT_EQ(plan.set.list[0].filter, "+/+");
    plan_fini(&plan);

    rule_add(&plan, "#", 1, "", RETAINED_NEW);
    rule_add(&plan, "$SYS/#", 1, "", RETAINED_NEW);
    rule_add(&plan, "any/thing", 2, "", RETAINED_NEW);
    plan_make(&plan, false);
    CHECK_INT_EQ(plan.set.count, 3);
    CHECK_TEXT_EQ(plan.set.list[0].filter, "#");
    CHECK_INT_EQ(plan.set.list[0].qos, 2);
    CHECK(plan.set.list[1].covered_by == NULL);
    CHECK_TEXT_EQ(plan.set.list[2].filter, "any/thing");
    CHECK_TEXT_EQ(plan.set.list[2].covered_by, "#");
    plan_fini(&plan);
}

/* What is subscribed when the broker refuses the widest filter that a rule asks for. */
static void test_covered(void)
{
    struct plan_case plan = {0};

    rule_add(&plan, "w/a/+", 1, "", RETAINED_NEW);
    rule_add(&plan, "w/b/c", 2, "", RETAINED_NEW);
    rule_add(&plan, "w/#", 1, "", RETAINED_NEW);
    rule_add(&plan, "w/b/#", 1, "", RETAINED_NEW);
    rule_add(&plan, "w/b/x", 1, "g", RETAINED_NEW);
    plan_make(&plan, false);
    CHECK_INT_EQ(plan.set.count, 4);
    CHECK_TEXT_EQ(plan.set.list[0].filter, "w/#");
    CHECK_TEXT_EQ(plan.set.list[1].filter, "$share/g/w/b/x");
    CHECK_TEXT_EQ(plan.set.list[2].filter, "w/a/+");
    CHECK_TEXT_EQ(plan.set.list[3].filter, "w/b/#"); /* they do not overlap */
    CHECK_INT_EQ(plan.set.list[3].qos, 2);
    CHECK_TEXT_EQ(plan.set.list[3].covered_by, "w/#");
    CHECK_INT_EQ(plan.plans->count, 4);
    plan_fini(&plan);
}

/* --- brute force: all small filters against all small topics ---------------------------------- */

static const char *const levels[] = {"a", "b", "+", "#", "", "$s"};
static const char *const topic_levels[] = {"a", "b", "c", "", "$s"};

static unsigned random_state = 7;

static unsigned pick(unsigned below)
{
    random_state = random_state * 1103515245 + 12345;
    return (random_state >> 16) % below;
}

static void random_filter(char *out, size_t size)
{
    size_t used = 0;
    unsigned depth = 1 + pick(3);
    for (unsigned i = 0; i < depth; i++) {
        const char *level = levels[pick(6)];
        used += (size_t) snprintf(out + used, size - used, "%s%s", i > 0 ? "/" : "", level);
        if (strcmp(level, "#") == 0) {
            break;
        }
    }
    if (out[0] == '\0') {
        snprintf(out, size, "+");
    }
}

/* How often does the rule get the message, when the broker sends one copy per subscription, or one
 * copy with all identifiers? */
static void deliver(const struct plan_case *plan, const char *topic, bool mqtt5, bool one_copy)
{
    const struct plans *plans = plan->plans;
    unsigned got[RULES_MAX] = {0};
    size_t count = 0, matching[RULES_MAX];
    for (size_t s = 0; s < plans->count; s++) {
        if (!plans->list[s].covered &&
            mqtt_filter_matches(slice_of(plans->list[s].filter), slice_of(topic))) {
            matching[count++] = s;
        }
    }
    copies_rewind(plan->copies, 0);
    size_t copies = one_copy && count > 1 ? 1 : count;
    for (size_t copy = 0; copy < copies; copy++) {
        struct buf properties = {0};
        for (size_t i = one_copy ? 0 : copy; mqtt5 && i < (one_copy ? count : copy + 1); i++) {
            property_append(&properties,
                            &(struct property_item){.id = PROPERTY_SUBSCRIPTION,
                                                    .number = plans->list[matching[i]].identifier});
        }
        const struct message message = {.kind = MESSAGE_PUBLISH,
                                        .qos = 1,
                                        .sequence = copy + 1,
                                        .topic = slice_of(topic),
                                        .properties = buf_slice(&properties)};
        bool counts = copies_count(plan->copies, &message, &(struct copy_wish){.share = ""});
        buf_fini(&properties);
        for (size_t r = 0; r < plan->count; r++) {
            got[r] += counts && topic_filter_match(plan->filters[r], slice_of(topic), NULL);
        }
    }
    for (size_t r = 0; r < plan->count; r++) {
        unsigned wanted = topic_filter_match(plan->filters[r], slice_of(topic), NULL);
        if (got[r] != wanted) {
            unit_record(false, __FILE__, __LINE__, "rule %s gets %s %u times instead of %u (%s%s)",
                        topic_filter_mqtt(plan->filters[r]), topic, got[r], wanted,
                        mqtt5 ? "5" : "3.1.1", one_copy ? ", one copy" : "");
        }
    }
}

static void test_every_rule_once(void)
{
    for (int round = 0; round < 3000; round++) {
        for (int mqtt5 = 0; mqtt5 < 2; mqtt5++) {
            struct plan_case plan = {0};
            unsigned rules = 1 + pick(RULES_MAX);
            for (unsigned i = 0; i < rules; i++) {
                char filter[40];
                random_filter(filter, sizeof(filter));
                rule_add(&plan, filter, 1, "", RETAINED_NEW);
            }
            plan_make(&plan, mqtt5 != 0);
            for (size_t i = 0; !mqtt5 && i < plan.set.count; i++) {
                for (size_t j = 0; j < i; j++) {
                    CHECK((plan.set.list[i].covered_by == NULL) !=
                              (plan.set.list[j].covered_by == NULL) ||
                          !mqtt_filters_overlap(slice_of(plan.set.list[i].filter),
                                                slice_of(plan.set.list[j].filter)));
                }
            }
            for (unsigned t = 0; t < 155; t++) {
                char topic[40];
                unsigned rest = t;
                size_t used = 0;
                unsigned depth = t < 5 ? 1 : t < 30 ? 2 : 3;
                rest -= depth == 1 ? 0 : depth == 2 ? 5 : 30;
                for (unsigned i = 0; i < depth; i++, rest /= 5) {
                    used += (size_t) snprintf(topic + used, sizeof(topic) - used, "%s%s",
                                              i > 0 ? "/" : "", topic_levels[rest % 5]);
                }
                if (topic[0] != '\0') {
                    deliver(&plan, topic, mqtt5 != 0, false);
                    deliver(&plan, topic, mqtt5 != 0, true);
                }
            }
            plan_fini(&plan);
        }
    }
    CHECK(true);
}

UNIT_MAIN("subscription_plan", {"cover", test_cover}, {"mqtt 5", test_mqtt5},
          {"mqtt 3.1.1", test_mqtt3}, {"covered", test_covered},
          {"every rule once", test_every_rule_once})
