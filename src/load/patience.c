/* SPDX-License-Identifier: MIT */
#include "load/patience.h"

#include <assert.h>
#include <stddef.h>

enum { CALM_BATCHES = 16, ROW_MS = 1000 };

void patience_init(struct patience *patience)
{
    *patience = (struct patience){.limit_ms = PATIENCE_FIRST_MS, .suspect = -1};
}

int64_t patience_limit_ms(const struct patience *patience)
{
    assert(patience == NULL || patience->limit_ms <= PATIENCE_MAX_MS);
    return patience == NULL ? 0 : patience->limit_ms;
}

int64_t patience_row_ms(const struct patience *patience, bool letters)
{
    int64_t limit_ms = patience_limit_ms(patience);

    return limit_ms == 0 ? ROW_MS : letters ? limit_ms / 2 : limit_ms / 4;
}

int patience_suspect(const struct patience *patience)
{
    return patience == NULL ? -1 : patience->suspect;
}

bool patience_doubles(struct patience *patience)
{
    if (patience_limit_ms(patience) == 0) {
        return false;
    }
    assert(patience->limit_ms >= PATIENCE_FIRST_MS);
    patience->limit_ms = patience->limit_ms < PATIENCE_MAX_MS ? 2 * patience->limit_ms : 0;
    patience->calm = 0;
    return true;
}

bool patience_blames(struct patience *patience, unsigned rule, enum patience_others others,
                     bool same)
{
    bool blames =
        others == OTHERS_PASS || (others == OTHERS_UNKNOWN && (patience->suspect < 0 || same));

    patience->calm = 0;
    if (blames) {
        patience->suspect = (int) rule;
    } else {
        patience->suspect = -1;
        (void) patience_doubles(patience);
    }
    return blames;
}

void patience_stored(struct patience *patience, int64_t took_ms)
{
    patience->suspect = -1;
    patience->calm = took_ms < PATIENCE_FIRST_MS ? patience->calm + 1 : 0;
    if (patience->calm >= CALM_BATCHES) {
        patience->limit_ms = PATIENCE_FIRST_MS;
        patience->calm = 0;
    }
}
