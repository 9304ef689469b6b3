/* SPDX-License-Identifier: MIT */
#include "ack/outbox_list.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void outbox_list_fini(struct outbox_list *list)
{
    free(list->entries);
    *list = (struct outbox_list){0};
}

void outbox_entry_name(char name[OUTBOX_NAME_BYTES], const struct outbox_entry *entry)
{
    snprintf(name, OUTBOX_NAME_BYTES, "%020" PRIu64 "-%010u.ack", entry->mark.position,
             entry->serial);
}

bool outbox_entry_parse(const char *name, struct outbox_entry *entry)
{
    char again[OUTBOX_NAME_BYTES];
    if (sscanf(name, "%20" SCNu64 "-%10u.ack", &entry->mark.position, &entry->serial) != 2) {
        return false;
    }
    outbox_entry_name(again, entry);
    /* A file under the last serials would leave none for those to come. */
    return strcmp(name, again) == 0 && entry->serial <= UINT32_MAX / 2;
}

static int compare(const struct outbox_entry *left, const struct outbox_entry *right)
{
    if (left->mark.position != right->mark.position) {
        return left->mark.position < right->mark.position ? -1 : 1;
    }
    return (left->serial > right->serial) - (left->serial < right->serial);
}

void outbox_list_add(struct outbox_list *list, const struct outbox_entry *entry)
{
    list->entries = memory_resize(list->entries, (list->count + 1) * sizeof(list->entries[0]));
    size_t at = list->count++;
    while (at > 0 && compare(&list->entries[at - 1], entry) > 0) {
        list->entries[at] = list->entries[at - 1];
        at--;
    }
    assert(entry->confirmed <= entry->count);
    list->entries[at] = *entry;
    if (entry->turn == 0) {
        list->entries[at].turn = ++list->next_turn;
    }
    if (entry->serial >= list->next_serial) {
        list->next_serial = entry->serial + 1;
    }
}

void outbox_list_remove(struct outbox_list *list, size_t index)
{
    assert(index < list->count);
    list->count--;
    memmove(&list->entries[index], &list->entries[index + 1],
            (list->count - index) * sizeof(list->entries[0]));
}

struct outbox_entry *outbox_list_find(struct outbox_list *list, const struct outbox_entry *wanted)
{
    for (size_t i = 0; i < list->count; i++) {
        if (compare(&list->entries[i], wanted) == 0) {
            return &list->entries[i];
        }
    }
    return NULL;
}

void outbox_list_number(struct outbox_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        list->entries[i].turn = i + 1;
    }
    list->next_turn = list->count;
}

struct outbox_entry *outbox_list_first(struct outbox_list *list)
{
    struct outbox_entry *first = NULL;
    for (size_t i = 0; i < list->count; i++) {
        struct outbox_entry *each = &list->entries[i];
        if (each->state != OUTBOX_WRITTEN && (first == NULL || each->turn < first->turn)) {
            first = each;
        }
    }
    return first;
}

size_t outbox_list_aside(const struct outbox_list *list)
{
    size_t aside = 0;
    for (size_t i = 0; i < list->count; i++) {
        aside += list->entries[i].state == OUTBOX_ASIDE;
    }
    return aside;
}

void outbox_list_check(const struct outbox_list *list)
{
    assert(outbox_list_aside(list) <= OUTBOX_ASIDE_MAX);
    for (size_t i = 0; i < list->count; i++) {
        const struct outbox_entry *each = &list->entries[i];
        assert(i == 0 || compare(each - 1, each) < 0); /* ascending, so no name stands twice */
        assert(each->serial < list->next_serial);
        assert(each->turn > 0 && each->turn <= list->next_turn);
        assert(each->confirmed <= each->count);
        assert(each->state != OUTBOX_WRITTEN || each->confirmed == 0);
        assert(each->state != OUTBOX_ALONE || each->alone > 0);
        assert(each->state != OUTBOX_ASIDE || each->count - each->confirmed <= 1);
    }
}

uint64_t outbox_list_waiting(const struct outbox_list *list)
{
    uint64_t waiting = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->entries[i].state != OUTBOX_WRITTEN) {
            waiting += list->entries[i].count - list->entries[i].confirmed;
        }
    }
    return waiting;
}
