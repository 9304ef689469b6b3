/* SPDX-License-Identifier: MIT */
#include "ack/ack_levels.h"

#include <assert.h>

static unsigned levels_of(struct slice topic)
{
    unsigned count = 1;

    for (size_t i = 0; i < topic.length; i++) {
        count += topic.data[i] == '/';
    }
    return count;
}

void ack_levels_refused(struct ack_levels *levels, struct slice topic)
{
    unsigned count = levels_of(topic);

    if (count > levels->taken && (levels->refused == 0 || count < levels->refused)) {
        levels->refused = count;
    }
    assert(levels->refused == 0 || levels->refused > levels->taken);
}

void ack_levels_given_up(struct ack_levels *levels, struct slice topic)
{
    unsigned count = levels_of(topic);

    if (levels->refused > 0 && count >= levels->refused &&
        (levels->given_up == 0 || count < levels->given_up)) {
        levels->given_up = count;
    }
    assert(levels->given_up == 0 || levels->given_up >= levels->refused);
}

void ack_levels_taken(struct ack_levels *levels, struct slice topic)
{
    /* Counting costs time, and without suspects the number is not needed. */
    unsigned count = levels->refused > 0 ? levels_of(topic) : 0;

    if (count > levels->taken) {
        levels->taken = count;
    }
    if (levels->refused <= levels->taken) {
        levels->refused = 0;
        levels->given_up = 0;
    }
}

bool ack_levels_suspect(const struct ack_levels *levels, struct slice topic)
{
    return levels->refused > 0 && levels_of(topic) >= levels->refused;
}

bool ack_levels_hopeless(const struct ack_levels *levels, struct slice topic)
{
    assert(levels->given_up == 0 || levels->refused > 0);
    return levels->given_up > 0 && levels_of(topic) >= levels->given_up;
}
