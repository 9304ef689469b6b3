/* SPDX-License-Identifier: MIT */
#include "load/rule_state.h"

bool rule_state_heals(enum rule_state state)
{
    return state == RULE_HEALING || state == RULE_RESUMING;
}

bool rule_state_is_held(enum rule_state state)
{
    return state == RULE_HELD || state == RULE_RESUMING;
}

enum rule_state rule_state_healing(enum rule_state state)
{
    return rule_state_is_held(state) ? RULE_RESUMING : RULE_HEALING;
}

enum rule_state rule_state_waiting(enum rule_state state)
{
    return rule_state_is_held(state) ? RULE_HELD : RULE_PARKED;
}

enum rule_state rule_state_unread(enum rule_state state)
{
    return state == RULE_WORKS ? RULE_UNREAD : rule_state_waiting(state);
}
