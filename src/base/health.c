/* SPDX-License-Identifier: MIT */
#include "base/health.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

const char *const health_part_names[HEALTH_PARTS] = {
    [HEALTH_BROKER] = "broker",
    [HEALTH_DATABASE] = "database",
    [HEALTH_JOURNAL] = "journal",
};

/* The mutex guards everything below. One mutex is enough: health changes a few times a minute. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct health parts[HEALTH_PARTS];

/* A ring: the n-th reject stands at rejects[n % HEALTH_REJECTS_MAX], counted from 0.
 * rejects_count counts all that were ever added. */
static struct health_reject rejects[HEALTH_REJECTS_MAX];
static size_t rejects_count;
static struct health_gap gaps[HEALTH_GAPS_MAX];
static size_t gaps_count;
static size_t gaps_beyond; /* open ones that are not in the ring */
static struct health_unmatched unmatched;
static int64_t letters_waiting = -1;
static int64_t clock_ahead;
static bool payloads_shown;

/* What health keeps about each rule, until the process ends. */
struct rule_health {
    char name[64];               /* names count as far as it keeps them */
    struct health_reject last;   /* the newest; at_us = 0: none */
    struct health_parked parked; /* since_us = 0: it is not */
    struct health_rule about;
    struct health_untaken untaken;
    struct health_partitions partitions;
};
static struct rule_health *rules;
static size_t rules_count;
static size_t rules_capacity;

/* Copies the text, cut off at `size`. A UTF-8 character may be cut in two: whoever shows the text
 * replaces the invalid rest. */
static void text_set(char *to, size_t size, struct slice text)
{
    assert(size > 0);
    size_t length = text.length < size - 1 ? text.length : size - 1;
    if (length > 0) {
        memcpy(to, text.data, length);
    }
    to[length] = '\0';
}

/* How many bytes of a reason may be shown: without payloads only those in front of
 * HEALTH_DETAIL. The caller has the mutex. */
static size_t told_length(const char *reason)
{
    const char *detail = payloads_shown ? NULL : strstr(reason, HEALTH_DETAIL);
    return detail != NULL ? (size_t) (detail - reason) : strlen(reason);
}

static void set_reason(char *to, size_t size, const char *reason)
{
    text_set(to, size, slice_make(reason, reason == NULL ? 0 : told_length(reason)));
}

void health_hide_detail(char *reason)
{
    pthread_mutex_lock(&mutex);
    reason[told_length(reason)] = '\0';
    pthread_mutex_unlock(&mutex);
}

static void set_part(enum health_part part, bool well, bool paused, const char *text)
{
    assert(part < HEALTH_PARTS);
    assert(!(well && paused));
    pthread_mutex_lock(&mutex);
    struct health *health = &parts[part];
    if (health->since_us == 0 || health->well != well) {
        health->since_us = clock_wall_us();
    }
    health->well = well;
    health->paused = paused;
    set_reason(health->text, sizeof(health->text), text);
    pthread_mutex_unlock(&mutex);
}

void health_set(enum health_part part, bool well, const char *text)
{
    set_part(part, well, false, text);
}

void health_set_paused(enum health_part part, const char *text)
{
    set_part(part, false, true, text);
}

void health_get(enum health_part part, struct health *out)
{
    assert(part < HEALTH_PARTS);
    pthread_mutex_lock(&mutex);
    *out = parts[part];
    pthread_mutex_unlock(&mutex);
}

/* The caller has the mutex, here and below. */
static struct rule_health *find_rule(const char *name)
{
    for (size_t i = 0; i < rules_count; i++) {
        if (strncmp(rules[i].name, name, sizeof(rules[i].name) - 1) == 0) {
            return &rules[i];
        }
    }
    return NULL;
}

static struct rule_health *find_or_add_rule(const char *name)
{
    struct rule_health *rule = find_rule(name);
    if (rule == NULL) {
        rules = memory_grow(rules, rules_count, &rules_capacity, sizeof(*rules));
        rule = &rules[rules_count++];
        *rule = (struct rule_health){0};
        text_set(rule->name, sizeof(rule->name), slice_of(name));
    }
    assert(rules_count <= rules_capacity);
    return rule;
}

void health_add_reject(const char *rule, struct slice topic, const char *reason,
                       const char *payload)
{
    pthread_mutex_lock(&mutex);
    struct health_reject *reject = &rejects[rejects_count++ % HEALTH_REJECTS_MAX];
    reject->at_us = clock_wall_us();
    text_set(reject->rule, sizeof(reject->rule), slice_of(rule));
    text_set(reject->topic, sizeof(reject->topic), topic);
    set_reason(reject->reason, sizeof(reject->reason), reason);
    text_set(reject->payload, sizeof(reject->payload),
             slice_of(payloads_shown && payload != NULL ? payload : ""));
    struct health_reject *last = &find_or_add_rule(rule)->last;
    *last = *reject;
    memset(last->payload, 0, sizeof(last->payload)); /* only the list shows them */
    pthread_mutex_unlock(&mutex);
}

bool health_last_reject(const char *rule, struct health_reject *out)
{
    pthread_mutex_lock(&mutex);
    const struct rule_health *found = find_rule(rule);
    bool there = found != NULL && found->last.at_us != 0;
    if (there) {
        *out = found->last;
    }
    pthread_mutex_unlock(&mutex);
    return there;
}

static void set_parked(const char *rule, const char *reason, bool held)
{
    pthread_mutex_lock(&mutex);
    struct rule_health *found = reason == NULL ? find_rule(rule) : find_or_add_rule(rule);
    if (reason != NULL) {
        struct health_parked *parked = &found->parked;
        if (parked->since_us == 0) {
            parked->since_us = clock_wall_us();
            parked->messages = -1;
        }
        parked->held = held;
        text_set(parked->rule, sizeof(parked->rule), slice_of(rule));
        set_reason(parked->reason, sizeof(parked->reason), reason);
    } else if (found != NULL) {
        found->parked.since_us = 0;
    }
    pthread_mutex_unlock(&mutex);
}

void health_set_parked(const char *rule, const char *reason)
{
    set_parked(rule, reason, false);
}

void health_set_held(const char *rule, const char *reason)
{
    assert(reason != NULL);
    set_parked(rule, reason, true);
}

void health_set_untaken(const char *rule, const struct health_untaken *untaken)
{
    static const struct health_untaken none;

    assert(untaken == NULL || untaken->count > 0);
    pthread_mutex_lock(&mutex);
    if (untaken != NULL || find_rule(rule) != NULL) {
        find_or_add_rule(rule)->untaken = untaken == NULL ? none : *untaken;
    }
    pthread_mutex_unlock(&mutex);
}

bool health_untaken(const char *rule, struct health_untaken *out)
{
    pthread_mutex_lock(&mutex);
    const struct rule_health *found = find_rule(rule);
    bool there = found != NULL && found->untaken.count > 0;
    if (there) {
        *out = found->untaken;
    }
    pthread_mutex_unlock(&mutex);
    return there;
}

void health_set_partitions(const char *rule, const char *reason)
{
    pthread_mutex_lock(&mutex);
    if (reason != NULL || find_rule(rule) != NULL) {
        struct health_partitions *partitions = &find_or_add_rule(rule)->partitions;
        text_set(partitions->reason, sizeof(partitions->reason),
                 slice_of(reason == NULL ? "" : reason));
        text_set(partitions->rule, sizeof(partitions->rule), slice_of(rule));
    }
    pthread_mutex_unlock(&mutex);
}

bool health_partitions(const char *rule, struct health_partitions *out)
{
    pthread_mutex_lock(&mutex);
    const struct rule_health *found = find_rule(rule);
    bool there = found != NULL && !found->about.removed && found->partitions.reason[0] != '\0';
    if (there) {
        *out = found->partitions;
    }
    pthread_mutex_unlock(&mutex);
    return there;
}

void health_set_parked_messages(const char *rule, int64_t messages)
{
    assert(messages >= -1);
    pthread_mutex_lock(&mutex);
    struct rule_health *found = find_rule(rule);
    if (found != NULL) {
        found->parked.messages = messages;
    }
    pthread_mutex_unlock(&mutex);
}

bool health_parked(const char *rule, struct health_parked *out)
{
    pthread_mutex_lock(&mutex);
    const struct rule_health *found = find_rule(rule);
    bool there = found != NULL && found->parked.since_us != 0;
    if (there) {
        *out = found->parked;
    }
    pthread_mutex_unlock(&mutex);
    return there;
}

void health_describe_rules(const struct health_rule_words *list, size_t count)
{
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < rules_count; i++) {
        rules[i].about.removed = true;
    }
    for (size_t i = 0; i < count; i++) {
        struct health_rule *about = &find_or_add_rule(list[i].rule)->about;
        text_set(about->topic, sizeof(about->topic), slice_of(list[i].topic));
        text_set(about->table, sizeof(about->table), slice_of(list[i].table));
        about->removed = false;
    }
    pthread_mutex_unlock(&mutex);
}

bool health_rule(const char *rule, struct health_rule *out)
{
    pthread_mutex_lock(&mutex);
    const struct rule_health *found = find_rule(rule);
    bool there = found != NULL && found->about.topic[0] != '\0';
    if (there) {
        *out = found->about;
    }
    pthread_mutex_unlock(&mutex);
    return there;
}

void health_add_gap(const struct health_gap *gap)
{
    pthread_mutex_lock(&mutex);
    gaps[gaps_count++ % HEALTH_GAPS_MAX] = *gap;
    pthread_mutex_unlock(&mutex);
}

/* Only the newest: how many there were is a metric, and the log names one of each batch. */
void health_set_unmatched(struct slice topic)
{
    assert(topic.length > 0);
    pthread_mutex_lock(&mutex);
    unmatched.at_us = clock_wall_us();
    text_set(unmatched.topic, sizeof(unmatched.topic), topic);
    pthread_mutex_unlock(&mutex);
}

void health_unmatched(struct health_unmatched *out)
{
    pthread_mutex_lock(&mutex);
    *out = unmatched;
    pthread_mutex_unlock(&mutex);
}

/* The list is newest first, the ring newest last. */
void health_set_gaps(const struct health_gap *list, size_t count, size_t open)
{
    assert(count <= HEALTH_GAPS_MAX);
    assert(count <= open);
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < count; i++) {
        gaps[i] = list[count - 1 - i];
    }
    gaps_count = count;
    gaps_beyond = open - count;
    pthread_mutex_unlock(&mutex);
}

size_t health_gaps_open(void)
{
    pthread_mutex_lock(&mutex);
    size_t open = gaps_count + gaps_beyond;
    pthread_mutex_unlock(&mutex);
    return open;
}

void health_set_letters(int64_t rejected)
{
    assert(rejected >= -1);
    pthread_mutex_lock(&mutex);
    letters_waiting = rejected;
    pthread_mutex_unlock(&mutex);
}

int64_t health_letters(void)
{
    pthread_mutex_lock(&mutex);
    int64_t rejected = letters_waiting;
    pthread_mutex_unlock(&mutex);
    return rejected;
}

void health_set_clock(int64_t ahead_seconds)
{
    pthread_mutex_lock(&mutex);
    clock_ahead = ahead_seconds;
    pthread_mutex_unlock(&mutex);
}

int64_t health_clock(void)
{
    pthread_mutex_lock(&mutex);
    int64_t ahead_seconds = clock_ahead;
    pthread_mutex_unlock(&mutex);
    return ahead_seconds;
}

void health_format_clock(struct buf *out, int64_t ahead_seconds)
{
    assert(ahead_seconds != 0);
    text_format_span(out, ahead_seconds > 0 ? ahead_seconds : -ahead_seconds);
    buf_append_text(out, ahead_seconds > 0 ? " ahead of PostgreSQL's" : " behind PostgreSQL's");
}

size_t health_gaps(struct health_gap *out, size_t max)
{
    assert(out != NULL || max == 0);
    pthread_mutex_lock(&mutex);
    size_t count = gaps_count < HEALTH_GAPS_MAX ? gaps_count : HEALTH_GAPS_MAX;
    count = count < max ? count : max;
    for (size_t i = 0; i < count; i++) {
        out[i] = gaps[(gaps_count - 1 - i) % HEALTH_GAPS_MAX];
    }
    pthread_mutex_unlock(&mutex);
    return count;
}

size_t health_rejects(struct health_reject *out, size_t max)
{
    assert(out != NULL || max == 0);
    pthread_mutex_lock(&mutex);
    size_t count = rejects_count < HEALTH_REJECTS_MAX ? rejects_count : HEALTH_REJECTS_MAX;
    count = count < max ? count : max;
    for (size_t i = 0; i < count; i++) {
        out[i] = rejects[(rejects_count - 1 - i) % HEALTH_REJECTS_MAX];
    }
    pthread_mutex_unlock(&mutex);
    return count;
}

void health_show_payloads(bool shown)
{
    pthread_mutex_lock(&mutex);
    payloads_shown = shown;
    for (size_t i = 0; i < HEALTH_REJECTS_MAX && !shown; i++) {
        explicit_bzero(rejects[i].payload, sizeof(rejects[i].payload));
    }
    pthread_mutex_unlock(&mutex);
}

bool health_payloads_shown(void)
{
    pthread_mutex_lock(&mutex);
    bool shown = payloads_shown;
    pthread_mutex_unlock(&mutex);
    return shown;
}
