/* SPDX-License-Identifier: MIT */
#include "core/subscription.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "core/mqtt_filter.h"

/* FNV-1a. It stands in journals: never change it. */
uint32_t subscription_identifier(const char *filter)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *filter != '\0'; filter++) {
        hash = (hash ^ (unsigned char) *filter) * UINT64_C(0x100000001b3);
    }
    return (uint32_t) (hash % SUBSCRIPTION_IDENTIFIER_MAX) + 1; /* 0 is no identifier */
}

struct subscription *subscription_set_add(struct subscription_set *set,
                                          const struct subscription *subscription)
{
    set->list = memory_resize(set->list, (set->count + 1) * sizeof(set->list[0]));
    assert(subscription->filter != NULL);
    struct subscription *added = &set->list[set->count++];
    *added = *subscription;
    added->filter = memory_strdup(subscription->filter);
    added->covered_by =
        subscription->covered_by == NULL ? NULL : memory_strdup(subscription->covered_by);
    return added;
}

const struct subscription *subscription_set_find(const struct subscription_set *set,
                                                 const char *filter)
{
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->list[i].filter, filter) == 0) {
            return &set->list[i];
        }
    }
    return NULL;
}

bool subscription_set_overlaps(const struct subscription_set *set, struct slice topic)
{
    size_t count = 0;

    for (size_t i = 0; i < set->count && count < 2; i++) {
        assert(set->list[i].filter != NULL);
        count += mqtt_filter_matches(filter_unshared(set->list[i].filter), topic);
    }
    return count == 2;
}

void subscription_set_fini(struct subscription_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        free(set->list[i].filter);
        free(set->list[i].covered_by);
    }
    free(set->list);
    *set = (struct subscription_set){0};
}
