/* SPDX-License-Identifier: MIT */
#include "base/health.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

const char *const health_part_names[HEALTH_PARTS] = {
    [HEALTH_BROKER] = "broker",
    [HEALTH_DATABASE] = "database",
    [HEALTH_JOURNAL] = "journal",
};

/* Everything below belongs to the mutex: it changes a few times a minute. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct health parts[HEALTH_PARTS];

/* A ring; rejects_count counts all that ever came, the newest stands before
 * rejects[rejects_count % HEALTH_REJECTS_MAX]. */
static struct health_reject rejects[HEALTH_REJECTS_MAX];
static size_t rejects_count;
static struct health_gap gaps[HEALTH_GAPS_MAX];
static size_t gaps_count;
static bool payloads_shown;

/* The newest of each rule that has one: as many as there are rules, kept until the process ends. */
static struct health_reject *newest;
static size_t newest_count;
static size_t newest_capacity;

/* The rules that are parked now, in no order. */
static struct health_parked *parked;
static size_t parked_count;
static size_t parked_capacity;

static void text_set(char *to, size_t size, struct slice text)
{
    size_t length = text.length < size - 1 ? text.length : size - 1;
    if (length > 0) {
        memcpy(to, text.data, length);
    }
    to[length] = '\0';
}

void health_set(enum health_part part, bool well, const char *text)
{
    pthread_mutex_lock(&mutex);
    struct health *health = &parts[part];
    if (health->since_us == 0 || health->well != well) {
        health->since_us = clock_wall_us();
    }
    health->well = well;
    text_set(health->text, sizeof(health->text), slice_of(text));
    pthread_mutex_unlock(&mutex);
}

void health_get(enum health_part part, struct health *out)
{
    pthread_mutex_lock(&mutex);
    *out = parts[part];
    pthread_mutex_unlock(&mutex);
}

static struct health_reject *find_newest(const char *rule)
{
    for (size_t i = 0; i < newest_count; i++) {
        if (strncmp(newest[i].rule, rule, sizeof(newest[i].rule) - 1) == 0) {
            return &newest[i];
        }
    }
    return NULL;
}

void health_add_reject(const char *rule, struct slice topic, const char *reason,
                       const char *payload)
{
    pthread_mutex_lock(&mutex);
    struct health_reject *reject = &rejects[rejects_count++ % HEALTH_REJECTS_MAX];
    reject->at_us = clock_wall_us();
    text_set(reject->rule, sizeof(reject->rule), slice_of(rule));
    text_set(reject->topic, sizeof(reject->topic), topic);
    text_set(reject->reason, sizeof(reject->reason), slice_of(reason));
    text_set(reject->payload, sizeof(reject->payload),
             slice_of(payloads_shown && payload != NULL ? payload : ""));
    struct health_reject *last = find_newest(reject->rule);
    if (last == NULL) {
        newest = memory_grow(newest, newest_count, &newest_capacity, sizeof(*newest));
        last = &newest[newest_count++];
    }
    *last = *reject;
    memset(last->payload, 0, sizeof(last->payload)); /* only the list shows them */
    pthread_mutex_unlock(&mutex);
}

bool health_last_reject(const char *rule, struct health_reject *out)
{
    pthread_mutex_lock(&mutex);
    const struct health_reject *last = find_newest(rule);
    if (last != NULL) {
        *out = *last;
    }
    pthread_mutex_unlock(&mutex);
    return last != NULL;
}

static struct health_parked *find_parked(const char *rule)
{
    for (size_t i = 0; i < parked_count; i++) {
        if (strncmp(parked[i].rule, rule, sizeof(parked[i].rule) - 1) == 0) {
            return &parked[i];
        }
    }
    return NULL;
}

void health_set_parked(const char *rule, const char *reason)
{
    pthread_mutex_lock(&mutex);
    struct health_parked *found = find_parked(rule);
    if (reason == NULL && found != NULL) {
        *found = parked[--parked_count];
    } else if (reason != NULL) {
        if (found == NULL) {
            parked = memory_grow(parked, parked_count, &parked_capacity, sizeof(*parked));
            found = &parked[parked_count++];
            found->since_us = clock_wall_us();
            text_set(found->rule, sizeof(found->rule), slice_of(rule));
        }
        text_set(found->reason, sizeof(found->reason), slice_of(reason));
    }
    pthread_mutex_unlock(&mutex);
}

bool health_parked(const char *rule, struct health_parked *out)
{
    pthread_mutex_lock(&mutex);
    const struct health_parked *found = find_parked(rule);
    if (found != NULL) {
        *out = *found;
    }
    pthread_mutex_unlock(&mutex);
    return found != NULL;
}

void health_add_gap(const struct health_gap *gap)
{
    pthread_mutex_lock(&mutex);
    gaps[gaps_count++ % HEALTH_GAPS_MAX] = *gap;
    pthread_mutex_unlock(&mutex);
}

size_t health_gaps(struct health_gap *out, size_t max)
{
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
