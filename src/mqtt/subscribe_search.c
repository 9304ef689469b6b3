/* SPDX-License-Identifier: MIT */
#include "mqtt/subscribe_search.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum {
    STRIKES = 3,
    QUIET_MS = 500, /* for the first strike; each further strike needs so much more */
    RETRY_FIRST_MS = 10000,
    RETRY_MAX_MS = 3600000,
};

static struct suspect *find(const struct subscribe_search *search, const char *filter)
{
    for (size_t i = 0; i < search->count; i++) {
        if (strcmp(search->list[i].filter, filter) == 0) {
            return &search->list[i];
        }
    }
    return NULL;
}

static struct suspect *find_or_add(struct subscribe_search *search, const char *filter)
{
    struct suspect *suspect = find(search, filter);
    if (suspect == NULL) {
        search->list = memory_resize(search->list, (search->count + 1) * sizeof(search->list[0]));
        suspect = &search->list[search->count++];
        *suspect = (struct suspect){.filter = memory_strdup(filter)};
    }
    return suspect;
}

void subscribe_search_forget(struct subscribe_search *search)
{
    for (size_t i = 0; i < search->count; i++) {
        free(search->list[i].filter);
    }
    search->count = 0;
}

void subscribe_search_fini(struct subscribe_search *search)
{
    subscribe_search_forget(search);
    free(search->list);
    *search = (struct subscribe_search){0};
}

bool subscribe_search_leaves_out(const struct subscribe_search *search, const char *filter)
{
    const struct suspect *suspect = find(search, filter);
    return suspect != NULL && suspect->state == SUSPECT_LEFT_OUT;
}

unsigned subscribe_search_ends(const struct subscribe_search *search, const char *filter)
{
    const struct suspect *suspect = find(search, filter);
    assert(suspect == NULL || suspect->ends > 0);
    return suspect == NULL ? 0 : suspect->ends;
}

int64_t subscribe_search_quiet_ms(const struct subscribe_search *search, const char *filter)
{
    unsigned ends = subscribe_search_ends(search, filter);
    return (int64_t) (ends < STRIKES ? ends : STRIKES) * QUIET_MS;
}

static void leave_out(struct suspect *suspect, int64_t now_ms)
{
    assert(suspect->strikes >= STRIKES || suspect->state != SUSPECT_SUSPECTED);
    int64_t longer_ms = suspect->retry_ms == 0 ? RETRY_FIRST_MS : suspect->retry_ms * 2;
    suspect->retry_ms = longer_ms < RETRY_MAX_MS ? longer_ms : RETRY_MAX_MS;
    suspect->due_ms = now_ms + suspect->retry_ms;
    suspect->state = SUSPECT_LEFT_OUT;
}

const char *subscribe_search_ended(struct subscribe_search *search, const char *const *filters,
                                   size_t count, bool proof, int64_t now_ms)
{
    assert(count > 0 && (count == 1 || !proof));
    for (size_t i = 0; i < count; i++) {
        find_or_add(search, filters[i])->ends++;
    }
    if (!proof) {
        subscribe_search_disturbed(search);
        return NULL;
    }
    struct suspect *suspect = find(search, filters[0]);
    suspect->strikes++;
    if (suspect->state == SUSPECT_SUSPECTED && suspect->strikes < STRIKES) {
        return NULL;
    }
    leave_out(suspect, now_ms);
    return suspect->filter;
}

void subscribe_search_disturbed(struct subscribe_search *search)
{
    for (size_t i = 0; i < search->count; i++) {
        search->list[i].strikes = 0;
    }
}

bool subscribe_search_answered(struct subscribe_search *search, const char *filter)
{
    struct suspect *suspect = find(search, filter);
    if (suspect == NULL) {
        return false;
    }
    bool was_left_out = suspect->state != SUSPECT_SUSPECTED;
    assert(search->count > 0);
    free(suspect->filter);
    *suspect = search->list[--search->count];
    return was_left_out;
}

bool subscribe_search_due(struct subscribe_search *search, int64_t now_ms)
{
    bool due = false;
    for (size_t i = 0; i < search->count; i++) {
        struct suspect *suspect = &search->list[i];
        if (suspect->state == SUSPECT_LEFT_OUT && now_ms >= suspect->due_ms) {
            suspect->state = SUSPECT_RETRIED;
            due = true;
        }
    }
    return due;
}
