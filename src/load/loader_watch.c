/* SPDX-License-Identifier: MIT */
#include "load/loader_watch.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/health.h"
#include "base/log.h"
#include "base/memory.h"
#include "pg/dead_letter.h"
#include "pg/gaps.h"

#define WATCH_MS 5000

/* The page shows the newest gaps first, and only HEALTH_GAPS_MAX of them; gaps_read() gives the
 * oldest first. */
static void tell_gaps(const struct gap_rows *rows)
{
    struct health_gap list[HEALTH_GAPS_MAX] = {{0}};
    size_t count = rows->count < HEALTH_GAPS_MAX ? rows->count : HEALTH_GAPS_MAX;

    assert(count <= rows->count && count <= HEALTH_GAPS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct gap_row *row = &rows->list[rows->count - 1 - i];

        list[i] = (struct health_gap){.id = row->id,
                                      .noticed_us = row->noticed_at_us,
                                      .from_us = row->from_us,
                                      .to_us = row->to_us,
                                      .messages = row->messages};
        snprintf(list[i].cause, sizeof(list[i].cause), "%s", row->cause);
    }
    health_set_gaps(list, count, rows->count);
}

/* Reads the gaps that no person has acknowledged, those of earlier processes included. */
static enum outcome watch_gaps(struct loader *loader, struct pg_failure *failure)
{
    const struct gap_query query = {.client_id = pg_client_id(loader->connection),
                                    .unacknowledged_only = true};
    struct gap_rows rows = {0};
    enum outcome outcome = gaps_read(loader->connection, &query, &rows, failure);

    if (outcome == OUTCOME_OK) {
        tell_gaps(&rows);
    }
    gap_rows_fini(&rows);
    return outcome;
}

/* Reads how many letters a person has to look at, and how many are parked for each rule that is set
 * aside. */
static enum outcome watch_letters(struct loader *loader, struct pg_failure *failure)
{
    const struct ruleset *ruleset = loader->ruleset;
    const char **names = memory_alloc((ruleset->count + 1) * sizeof(*names));
    const char **known = memory_alloc((ruleset->count + 1) * sizeof(*known));
    int64_t *parked = memory_alloc((ruleset->count + 1) * sizeof(*parked));
    struct dead_letter_counts counts = {
        .rules = names, .parked = parked, .known = known, .known_count = ruleset->count};
    enum outcome outcome;

    for (unsigned i = 0; i < ruleset->count; i++) {
        known[i] = ruleset->rules[i]->name;
        if (rule_targets_aside(loader->targets, i)) {
            names[counts.rule_count++] = ruleset->rules[i]->name;
        }
    }
    assert(counts.rule_count <= ruleset->count);
    outcome = dead_letters_count(loader->connection, &counts, failure);
    if (outcome == OUTCOME_OK) {
        health_set_letters(counts.rejected);
        for (size_t i = 0; i < counts.rule_count; i++) {
            health_set_parked_messages(names[i], parked[i]);
        }
    }
    free(names);
    free(known);
    free(parked);
    return outcome;
}

/* Reads every WATCH_MS. After a refusal, for example when the role lacks these privileges, the
 * status page lacks these figures; storing goes on. */
void loader_watch(struct loader *loader)
{
    struct pg_failure failure = {.message = ""};
    int64_t now_ms = clock_monotonic_ms();

    if (now_ms < loader->watch_again_ms || !pg_is_connected(loader->connection)) {
        return;
    }
    loader->watch_again_ms = now_ms + WATCH_MS;
    if (watch_gaps(loader, &failure) != OUTCOME_OK ||
        watch_letters(loader, &failure) != OUTCOME_OK) {
        log_debug("the database does not say what waits in it", F_TEXT("reason", failure.message));
    }
}
