/* SPDX-License-Identifier: MIT */
#include "load/rule_groups.h"

#include <assert.h>
#include <string.h>

bool rule_groups_same(const struct rule_target *left, const struct rule_target *right)
{
    return left == right ||
           (left->table != NULL && right->table != NULL && left->table->oid == right->table->oid);
}

bool rule_groups_several(const struct rule_groups *groups)
{
    for (unsigned i = 1; i < groups->count; i++) {
        if (!rule_groups_same(&groups->list[0], &groups->list[i])) {
            return true;
        }
    }
    return false;
}

/* Do both rules write a table in the same way? The texts of their INSERTs, which name all columns,
 * are compared. */
static bool write_alike(const struct rule_target *left, const struct rule_target *right)
{
    assert(left->target != NULL && right->target != NULL);
    return strcmp(left->target->statements[0].sql, right->target->statements[0].sql) == 0;
}

void rule_groups_place(const struct rule_groups *groups)
{
    for (unsigned i = 0; i < groups->count; i++) {
        struct rule_target *target = &groups->list[i];

        target->place = (struct run_place){.write = i, .table = i};
        for (unsigned j = 0; j < i && target->place.write == i; j++) {
            const struct rule_target *before = &groups->list[j];

            if (!rule_groups_same(before, target)) {
                continue;
            }
            target->place.table = before->place.table;
            if (write_alike(before, target)) {
                target->place.write = before->place.write;
            }
        }
    }
}

void rule_groups_heal(const struct rule_groups *groups, unsigned rule)
{
    const struct rule_target *first = &groups->list[rule];
    enum rule_state state = RULE_HEALING;

    assert(rule < groups->count && first->plan != NULL);
    for (unsigned i = 0; i < groups->count; i++) {
        const struct rule_target *target = &groups->list[i];

        if (rule_state_is_held(target->state) && rule_groups_same(first, target)) {
            state = RULE_RESUMING;
        }
    }
    for (unsigned i = 0; i < groups->count; i++) {
        struct rule_target *target = &groups->list[i];

        if (rule_groups_same(first, target) && target->plan != NULL) {
            target->state = state;
        }
    }
    assert(rule_state_heals(first->state));
}

void rule_groups_join(const struct rule_groups *groups, unsigned rule)
{
    struct rule_target *target = &groups->list[rule];

    assert(rule < groups->count);
    for (unsigned i = 0; i < groups->count && target->state == RULE_WORKS; i++) {
        const struct rule_target *other = &groups->list[i];

        if (rule_groups_same(target, other) && rule_state_heals(other->state)) {
            target->state = other->state;
        }
    }
}

/* The last part of a table's name as in SQL, without quotes. */
static struct slice last_part(const char *name)
{
    const char *dot = strrchr(name, '.');
    struct slice part = slice_of(dot == NULL ? name : dot + 1);

    if (part.length > 0 && part.data[0] == '"') {
        part = slice_make(part.data + 1, part.length - 1);
    }
    if (part.length > 0 && part.data[part.length - 1] == '"') {
        part.length--;
    }
    return part;
}

bool rule_groups_may_share(const struct rule *left, const struct rule *right)
{
    const char *a = left->options->table.text, *b = right->options->table.text;
    struct slice x, y;

    if (a == NULL || b == NULL) { /* a rule with SQL of its own */
        return false;
    }
    x = last_part(a);
    y = last_part(b);
    return x.length == y.length && strncasecmp(x.data, y.data, x.length) == 0;
}

void rule_groups_resume(const struct rule_groups *groups, unsigned rule)
{
    assert(rule < groups->count && groups->list[rule].state == RULE_HELD);
    for (unsigned i = 0; i < groups->count; i++) {
        if (groups->list[i].state == RULE_HELD &&
            rule_groups_same(&groups->list[rule], &groups->list[i])) {
            groups->list[i].state = RULE_RESUMING;
        }
    }
}

size_t rule_groups_healing(const struct rule_groups *groups, unsigned rule, unsigned *found)
{
    size_t count = 0;

    assert(rule < groups->count);
    for (unsigned i = 0; i < groups->count; i++) {
        if (rule_groups_same(&groups->list[rule], &groups->list[i]) &&
            rule_state_heals(groups->list[i].state)) {
            found[count++] = i;
        }
    }
    return count;
}

bool rule_groups_leads(const struct rule_groups *groups, unsigned rule)
{
    assert(rule < groups->count && rule_state_heals(groups->list[rule].state));
    for (unsigned i = 0; i < rule; i++) {
        if (rule_state_heals(groups->list[i].state) &&
            rule_groups_same(&groups->list[rule], &groups->list[i])) {
            return false;
        }
    }
    return true;
}

/* No rule works while another one of its group heals. */
static void check_group(const struct rule_groups *groups, const struct rule_target *healing)
{
    for (unsigned i = 0; i < groups->count; i++) {
        assert(groups->list[i].state != RULE_WORKS || !rule_groups_same(healing, &groups->list[i]));
    }
}

void rule_groups_check(const struct rule_groups *groups)
{
    for (unsigned i = 0; i < groups->count; i++) {
        const struct rule_target *target = &groups->list[i];

        assert((target->plan == NULL) == (target->target == NULL));
        assert(target->plan != NULL || target->state == RULE_UNREAD ||
               target->state == RULE_PARKED || target->state == RULE_HELD);
        assert(target->place.write <= i && target->place.table <= target->place.write);
        if (rule_state_heals(target->state)) {
            check_group(groups, target);
        }
    }
}
