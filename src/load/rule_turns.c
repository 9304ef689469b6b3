/* SPDX-License-Identifier: MIT */
#include "load/rule_turns.h"

#include <assert.h>
#include <string.h>

#define LOOK_AGAIN_MS 5000
#define RARER_MAX 5 /* times as long between two looks at slow rows, and once more */

/* When the rule may have a turn: 0 = now, -1 = never. */
static int64_t milliseconds_left(const struct rule_target *target, int64_t now_ms)
{
    if (target->state <= RULE_WORKS) {
        return -1;
    }
    return rule_state_heals(target->state) || target->look_again_ms <= now_ms
               ? 0
               : target->look_again_ms - now_ms;
}

int rule_turns_next(const struct rule_groups *groups, unsigned first, int64_t now_ms)
{
    for (unsigned i = 0; i < groups->count; i++) {
        unsigned rule = (first + i) % groups->count;
        const struct rule_target *target = &groups->list[rule];

        if (milliseconds_left(target, now_ms) == 0 &&
            (!rule_state_heals(target->state) || rule_groups_leads(groups, rule))) {
            assert(rule < groups->count);
            return (int) rule;
        }
    }
    return -1;
}

int64_t rule_turns_wait(const struct rule_groups *groups, int64_t now_ms)
{
    int64_t wait = -1;

    for (unsigned i = 0; i < groups->count; i++) {
        int64_t left = milliseconds_left(&groups->list[i], now_ms);

        if (left >= 0 && (wait < 0 || left < wait)) {
            wait = left;
        }
    }
    assert(wait >= -1);
    return wait;
}

int64_t rule_turns_look_ms(const struct rule_target *target, const char *sqlstate)
{
    bool slow = sqlstate != NULL && strcmp(sqlstate, "57014") == 0;
    unsigned looks = target->futile < RARER_MAX ? target->futile : RARER_MAX;

    return LOOK_AGAIN_MS * (int64_t) (slow ? 1 + looks : 1);
}
