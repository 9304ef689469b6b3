/* SPDX-License-Identifier: MIT */
#include "mqtt/subscribe_search.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum {
    STRIKES = 2,
    SHARE = 4,         /* of the suspects so many at once the next time: one in four */
    AGAIN_MS = 3600000 /* a filter that was left out is tried again after so long */
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
    search->limit = 0;
}

void subscribe_search_fini(struct subscribe_search *search)
{
    subscribe_search_forget(search);
    free(search->list);
    *search = (struct subscribe_search){0};
}

size_t subscribe_search_limit(const struct subscribe_search *search, size_t max)
{
    return search->limit == 0 || search->limit > max ? max : search->limit;
}

bool subscribe_search_leaves_out(const struct subscribe_search *search, const char *filter)
{
    const struct suspect *suspect = find(search, filter);
    return suspect != NULL && suspect->left_out;
}

const char *subscribe_search_ended(struct subscribe_search *search, const char *const *filters,
                                   size_t count, int64_t now_ms)
{
    assert(count > 0);
    for (size_t i = 0; i < count; i++) {
        find_or_add(search, filters[i])->strikes++;
    }
    search->limit = count / SHARE > 1 ? count / SHARE : 1;
    struct suspect *first = find(search, filters[0]);
    if (count > 1 || first->strikes < STRIKES) {
        return NULL;
    }
    first->left_out = true;
    first->since_ms = now_ms;
    return first->filter;
}

void subscribe_search_answered(struct subscribe_search *search, const char *filter)
{
    struct suspect *suspect = find(search, filter);
    if (suspect != NULL) {
        free(suspect->filter);
        *suspect = search->list[--search->count];
    }
}

void subscribe_search_done(struct subscribe_search *search)
{
    search->limit = 0;
}

bool subscribe_search_due(struct subscribe_search *search, int64_t now_ms)
{
    bool due = false;
    for (size_t i = 0; i < search->count; i++) {
        struct suspect *suspect = &search->list[i];
        if (suspect->left_out && now_ms - suspect->since_ms >= AGAIN_MS) {
            suspect->left_out = false; /* with its strikes: the next one is enough */
            due = true;
        }
    }
    return due;
}
