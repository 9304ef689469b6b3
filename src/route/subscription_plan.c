/*
 * A plan begins with one entry for each rule. With MQTT 5, entries of the same filter are joined;
 * with MQTT 3.1.1, entries whose filters overlap. The joined filter covers both and may overlap a
 * third entry, so the search starts again after each join. Each join removes an entry: the search
 * ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "route/subscription_plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* A subscription of the plan that is being made. */
struct entry {
    struct buf filter; /* without "$share/GROUP/" */
    const char *share; /* borrowed; "" = none */
    uint8_t qos;
    enum retain_handling retain;
    size_t first_rule; /* for warnings */
};

struct entries {
    struct entry *list;
    size_t count;
};

static enum retain_handling retain_handling_of(enum retained_policy policy)
{
    switch (policy) {
    case RETAINED_STORE:
        return RETAIN_SEND;
    case RETAINED_IGNORE:
        return RETAIN_DO_NOT_SEND;
    case RETAINED_NEW:
        break;
    }
    return RETAIN_SEND_IF_NEW;
}

/* The level that covers both levels. NULL data when one of them is missing or "#": the cover must
 * end here, with "#". */
static struct slice level_cover(struct slice left, struct slice right)
{
    static const struct slice plus = SLICE_LITERAL("+");
    if (left.data == NULL || right.data == NULL || slice_is(left, "#") || slice_is(right, "#")) {
        return (struct slice){0};
    }
    return slice_equal(left, right) ? left : plus;
}

/* Takes the next level; NULL data when there is none. */
static struct slice level_take(struct slice *rest)
{
    if (rest->data == NULL) {
        return (struct slice){0};
    }
    const char *slash = rest->length > 0 ? memchr(rest->data, '/', rest->length) : NULL;
    struct slice level = *rest;
    if (slash == NULL) {
        *rest = (struct slice){0};
        return level;
    }
    level.length = (size_t) (slash - level.data);
    *rest = slice_make(slash + 1, rest->length - level.length - 1);
    return level;
}

void mqtt_filter_cover(struct slice left, struct slice right, struct buf *out)
{
    for (bool first = true; left.data != NULL || right.data != NULL; first = false) {
        struct slice level = level_cover(level_take(&left), level_take(&right));
        if (!first) {
            buf_append_byte(out, '/');
        }
        if (level.data == NULL) {
            buf_append_byte(out, '#');
            return;
        }
        buf_append_slice(out, level);
    }
}

/* Must the two be joined, so that no message comes once for each of them? */
static bool entries_overlap(const struct entry *left, const struct entry *right, bool mqtt5)
{
    if (strcmp(left->share, right->share) != 0) {
        return false;
    }
    struct slice left_filter = buf_slice(&left->filter);
    struct slice right_filter = buf_slice(&right->filter);
    return mqtt5 ? slice_equal(left_filter, right_filter)
                 : mqtt_filters_overlap(left_filter, right_filter);
}

/* The joined subscription asks for what the more demanding one asked for. */
static void entry_join(struct entry *into, const struct entry *other)
{
    struct buf cover = {0};
    mqtt_filter_cover(buf_slice(&into->filter), buf_slice(&other->filter), &cover);
    assert(mqtt_filter_covers(buf_slice(&cover), buf_slice(&into->filter)));
    assert(mqtt_filter_covers(buf_slice(&cover), buf_slice(&other->filter)));
    buf_fini(&into->filter);
    into->filter = cover;
    into->qos = other->qos > into->qos ? other->qos : into->qos;
    into->retain = other->retain < into->retain ? other->retain : into->retain;
}

/* Adds an entry, joined with all entries that it overlaps. */
static void entries_add(struct entries *entries, struct entry added, bool mqtt5)
{
    for (size_t i = 0; i < entries->count;) {
        struct entry *there = &entries->list[i];
        if (!entries_overlap(there, &added, mqtt5)) {
            i++;
            continue;
        }
        entry_join(&added, there);
        if (there->first_rule < added.first_rule) {
            added.first_rule = there->first_rule;
        }
        buf_fini(&there->filter);
        *there = entries->list[--entries->count];
        i = 0; /* the joined entry is wider and may overlap an entry that `added` did not */
    }
    entries->list[entries->count++] = added;
}

static int entry_compare(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;
    return (a->first_rule > b->first_rule) - (a->first_rule < b->first_rule);
}

char *subscription_full_filter(const char *share, const char *filter)
{
    assert(share != NULL && filter[0] != '\0');
    return share[0] == '\0' ? memory_strdup(filter) : memory_printf("$share/%s/%s", share, filter);
}

static const char *share_of(const struct rule_options *options)
{
    return options->share == NULL ? "" : options->share;
}

/* Warns of rules that share a subscription but want different options for it. */
static void warn_of_differences(const struct planned_rule *rules, size_t count,
                                struct problems *problems)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            const struct rule_options *here = rules[i].options;
            const struct rule_options *there = rules[j].options;
            if (strcmp(topic_filter_mqtt(rules[i].filter), topic_filter_mqtt(rules[j].filter)) !=
                    0 ||
                strcmp(share_of(here), share_of(there)) != 0) {
                continue;
            }
            if (here->qos != there->qos) {
                problem_warning(
                    problems, here->place, here->name,
                    "rule \"%s\" has the same topic filter with another qos; both get qos %d",
                    there->name, here->qos > there->qos ? here->qos : there->qos);
            }
            if (here->retained != there->retained) {
                problem_warning(problems, here->place, here->name,
                                "rule \"%s\" has the same topic filter with another \"retained\"; "
                                "both get the retained messages that the more demanding one wants",
                                there->name);
            }
            break;
        }
    }
}

static void entries_add_rule(struct entries *entries, const struct planned_rule *rule, size_t index,
                             bool mqtt5)
{
    struct entry added = {.share = share_of(rule->options),
                          .qos = rule->options->qos,
                          .retain = retain_handling_of(rule->options->retained),
                          .first_rule = index};

    buf_append_text(&added.filter, topic_filter_mqtt(rule->filter));
    entries_add(entries, added, mqtt5);
}

static void entries_fini(struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        buf_fini(&entries->list[i].filter);
    }
    free(entries->list);
}

/* Appends the entries to the set. `covered_by` is the full filter of the wider subscription
 * that brings their messages, or NULL. */
static void entries_to_set(struct entries *entries, char *covered_by, struct subscription_set *set)
{
    qsort(entries->list, entries->count, sizeof(entries->list[0]), entry_compare);
    for (size_t i = 0; i < entries->count; i++) {
        struct entry *entry = &entries->list[i];
        char *filter = subscription_full_filter(entry->share, buf_string(&entry->filter));

        subscription_set_add(set, &(struct subscription){.filter = filter,
                                                         .qos = entry->qos,
                                                         .retain_handling = entry->retain,
                                                         .covered_by = covered_by});
        free(filter);
    }
}

/* With MQTT 3.1.1: adds the filters to subscribe instead when the broker refuses `wide`, which
 * covers them. Adds none when no rule has the filter `wide` itself, because it was made by joining
 * overlapping filters: the filters alone would bring copies, and copies would become extra rows. */
static void add_covered(const struct planned_rule *rules, size_t count, struct entry *wide,
                        struct subscription_set *set)
{
    struct entries narrow = {.list = memory_alloc((count + 1) * sizeof(struct entry))};
    struct slice filter = buf_slice(&wide->filter);
    char *full = subscription_full_filter(wide->share, buf_string(&wide->filter));
    bool asked_for = false;

    for (size_t i = 0; i < count; i++) {
        struct slice own = slice_of(topic_filter_mqtt(rules[i].filter));
        bool covered =
            strcmp(share_of(rules[i].options), wide->share) == 0 && mqtt_filter_covers(filter, own);

        if (covered && slice_equal(own, filter)) {
            asked_for = true;
        } else if (covered) {
            entries_add_rule(&narrow, &rules[i], i, false);
        }
    }
    if (asked_for) {
        entries_to_set(&narrow, full, set);
    }
    entries_fini(&narrow);
    free(full);
}

void subscription_plan(const struct planned_rule *rules, size_t count, bool mqtt5,
                       struct subscription_set *set, struct problems *problems)
{
    struct entries entries = {.list = memory_alloc((count + 1) * sizeof(struct entry))};

    for (size_t i = 0; i < count; i++) {
        entries_add_rule(&entries, &rules[i], i, mqtt5);
    }
    assert(set->count == 0 && entries.count <= count);
    entries_to_set(&entries, NULL, set);
    for (size_t i = 0; !mqtt5 && i < entries.count; i++) {
        add_covered(rules, count, &entries.list[i], set);
    }
    entries_fini(&entries);
    if (problems != NULL) {
        warn_of_differences(rules, count, problems);
    }
}
