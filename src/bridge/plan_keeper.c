/* SPDX-License-Identifier: MIT */
#include "bridge/plan_keeper.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "load/plan_file.h"

/* Removes the file in which versions before the plans kept the rules' filters. Nothing reads it. */
static void remove_rules_file(const char *directory)
{
    char *path = memory_printf("%s/rules", directory);

    (void) unlink(path);
    free(path);
}

/* Makes the generation's plan after `before` (NULL: the first plan) and hands it to the ruleset. A
 * plan is in force for the messages behind the journal's last one. When the subscriptions are the
 * same as before, plans_next() makes no new plan. */
static void make(struct generation *generation, const struct plans *before,
                 const struct config *settings, struct journal *journal)
{
    /* Before the last one is asked for: messages come and segments go meanwhile. */
    const uint64_t first = journal_first(journal);
    const struct plan_moment moment = {
        .mqtt5 = settings->broker.mqtt5,
        .last = journal_last(journal),
        .first = first,
        .now_us = clock_wall_us(),
    };

    assert(generation->plans == NULL && generation->ruleset->plans == NULL);
    generation->plans = plans_next(before, &generation->ruleset->wanted, &moment);
    ruleset_set_plans(generation->ruleset, generation->plans);
}

bool plan_keeper_is_written(struct generation *generation, const struct generation *first)
{
    struct error error;

    assert(generation->plans != NULL);
    if (!generation->plan_written) {
        generation->plan_written =
            plan_file_save(generation->plans, first->config->journal.directory, &error) ==
            OUTCOME_OK;
        if (!generation->plan_written) {
            log_warn("could not write down the plan of subscriptions: the broker is asked for them "
                     "when that is done",
                     F_TEXT("reason", error.text));
        }
    }
    return generation->plan_written;
}

void plan_keeper_look(struct generation *generation, const struct config *settings,
                      struct journal *journal)
{
    struct plans *before = plan_file_load(settings->journal.directory, journal_last(journal));
    uint32_t number = before == NULL ? 0 : plans_newest(before)->number;

    make(generation, before, settings, journal);
    /* With the same number, the newest plan is the one that the file has already. */
    generation->plan_written = plans_newest(generation->plans)->number == number;
    plans_free(before);
}

void plan_keeper_begin(struct generation *first, struct journal *journal)
{
    plan_keeper_look(first, first->config, journal);
    (void) plan_keeper_is_written(first, first);
    remove_rules_file(first->config->journal.directory);
}

void plan_keeper_continue(struct generation *next, const struct generation *in_use,
                          const struct generation *first, struct journal *journal)
{
    assert(next != in_use && in_use->plans != NULL);
    make(next, in_use->plans, first->config, journal);
    next->plan_written = plans_newest(next->plans)->number == plans_newest(in_use->plans)->number;
    (void) plan_keeper_is_written(next, first);
}
