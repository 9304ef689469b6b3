/* SPDX-License-Identifier: MIT */
#include "load/letter_retry.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "load/recall.h"
#include "pg/dead_letter.h"

#define RETRY_LETTERS 500
#define SOON_MAX 10 /* attempts in a row after a deadlock or another failure that passes */

/* One call of letter_retry(). */
struct round {
    const struct letter_desk *desk;
    const struct letter_choice *choice;
    struct store store;
    struct letter_report *report;
};

void letter_report_fini(struct letter_report *report)
{
    buf_fini(&report->complaints);
}

const char *letter_client_id(const struct letter_desk *desk, const struct letter_choice *choice)
{
    return choice->client_id != NULL ? choice->client_id : pg_client_id(desk->connection);
}

/* Is the caller's time over? If so, the next call retries the rest. */
static bool is_late(const struct letter_choice *choice)
{
    return choice->until_ms != 0 && clock_monotonic_ms() >= choice->until_ms;
}

/* The letters of these rules that the command retries. A letter that is parked or waits, and whose
 * device waits for an acknowledgment, is left to the service, which stores and acknowledges it by
 * itself. Rules that write to one table are treated alike, to keep their letters in order. */
static struct dead_letter_query query_for(const struct round *round,
                                          const struct retry_rules *rules)
{
    bool acknowledges = false;

    for (size_t i = 0; i < rules->count; i++) {
        acknowledges = acknowledges || round->desk->ruleset->rules[rules->list[i]]->ack != NULL;
    }
    return (struct dead_letter_query){.client_id = letter_client_id(round->desk, round->choice),
                                      .id = round->choice->id,
                                      .parked = acknowledges ? 0 : -1,
                                      .waiting = acknowledges ? LETTERS_REJECTED : LETTERS_ALL,
                                      .limit = RETRY_LETTERS};
}

/* All letters of rules that write to one table, portion by portion in the order of their ids, each
 * letter once. A portion that is too large for the server is halved; a deadlock or the like is
 * tried again SOON_MAX times. */
static bool retry_table(const struct round *round, const struct retry_rules *rules)
{
    struct retry_counts *counts = &round->report->counts;
    struct dead_letter_query query = query_for(round, rules);
    struct pg_failure failure = {.message = ""};
    enum store_result result;
    uint64_t before;
    int patience = SOON_MAX;

    assert(query.client_id != NULL);
    do {
        before = counts->letters;
        result = retry_letters(&round->store, rules, &query, counts, &failure);
        assert(counts->letters >= before && query.limit >= 1);
        query.after_id = counts->last_id;
        if (result == STORE_SMALLER && query.limit > 1) {
            query.limit /= 2;
            result = STORE_AGAIN;
        }
        if (result == STORE_SOON && patience-- > 0) {
            result = STORE_AGAIN;
        }
        round->report->unfinished = is_late(round->choice);
    } while (!round->report->unfinished &&
             (result == STORE_AGAIN || (result == STORE_DONE && counts->letters > before)));
    counts->last_id = 0;
    if (result != STORE_DONE && result != STORE_AGAIN) {
        buf_printf(&round->report->complaints, "rule \"%s\": %s\n",
                   round->desk->ruleset->rules[rules->list[0]]->name, failure.message);
    }
    return result == STORE_DONE || result == STORE_AGAIN;
}

/* Fills `group` with this rule and the later ones that write to its table. Returns 0 when an
 * earlier rule writes to that table: then this rule is in that one's group. When the command names
 * a rule or a letter, the group is that rule alone. */
static size_t group_of(const struct round *round, unsigned rule, unsigned *group)
{
    const struct rule_target *target = rule_targets_get(round->store.targets, rule);
    size_t count = 0;

    assert(target->plan != NULL);
    group[count++] = rule;
    if (round->choice->rule != NULL || round->choice->id != 0) {
        return count;
    }
    for (unsigned i = 0; i < round->desk->ruleset->count; i++) {
        const struct rule_target *other = rule_targets_get(round->store.targets, i);

        if (i == rule || other->plan == NULL || other->place.table != target->place.table) {
            continue;
        }
        if (i < rule) {
            return 0;
        }
        group[count++] = i;
    }
    return count;
}

/* Complains when the service or another bridge is to store the chosen letters. False when there are
 * such letters. */
static bool complain_of_others(const struct round *round)
{
    const struct letter_choice *choice = round->choice;
    const struct retry_counts *counts = &round->report->counts;
    struct buf *complaints = &round->report->complaints;

    if (counts->claimed > 0) {
        buf_printf(complaints,
                   "%" PRIu64
                   " more %s left to a replay that did not end: mqtt2pg replay --rule %s goes on\n",
                   counts->claimed, counts->claimed == 1 ? "is" : "are",
                   choice->rule != NULL ? choice->rule : "R");
    }
    if (choice->id != 0 && counts->letters == 0) {
        buf_printf(
            complaints,
            "no rule of this configuration has a dead letter %" PRId64
            " that could be retried; one that is parked or waits to be acknowledged is stored by "
            "the service\n",
            choice->id);
        return false;
    }
    return counts->claimed == 0;
}

/* False when some letters were not retried; `complaints` says which and why. A table that fails
 * does not stop the letters of other tables. */
static bool retry_rules(const struct round *round)
{
    const struct ruleset *ruleset = round->desk->ruleset;
    const struct letter_choice *choice = round->choice;
    struct buf *complaints = &round->report->complaints;
    unsigned *group = memory_alloc((ruleset->count + 1) * sizeof(*group));
    bool complete = true, known = false;

    for (unsigned i = 0; i < ruleset->count && !round->report->unfinished; i++) {
        const struct rule_target *target = rule_targets_get(round->store.targets, i);
        struct retry_rules rules = {.list = group};

        if (choice->rule != NULL && strcmp(choice->rule, ruleset->rules[i]->name) != 0) {
            continue;
        }
        known = true;
        if (target->plan == NULL) {
            buf_printf(complaints, "rule \"%s\": %s\n", ruleset->rules[i]->name, target->reason);
            complete = false;
            continue;
        }
        rules.count = group_of(round, i, group);
        complete &= rules.count == 0 || retry_table(round, &rules);
    }
    free(group);
    if (!known && choice->rule != NULL) {
        buf_printf(complaints, "there is no rule \"%s\"\n", choice->rule);
        return false;
    }
    round->report->tried = true;
    return complain_of_others(round) && complete;
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

void letter_append_counts(struct buf *out, const struct retry_counts *counts)
{
    uint64_t retried = counts->letters - counts->claimed;

    assert(counts->claimed <= counts->letters);
    buf_printf(out,
               "%" PRIu64 " dead letter%s retried: %" PRIu64 " stored (%" PRIu64 " row%s), %" PRIu64
               " filtered, %" PRIu64 " rejected again\n",
               retried, plural(retried), counts->stored, counts->rows, plural(counts->rows),
               counts->filtered, counts->rejected + counts->waiting);
}

/* Letters that this configuration can't retry, so that nobody takes an empty list for an empty
 * table. */
static void append_strays(struct buf *out, struct dead_letter_strays *strays, bool of_rules)
{
    if (strays->letters > 0 && of_rules) {
        buf_printf(out,
                   "%" PRId64 " more belong to rules that this configuration does not have (%s): "
                   "they are retried by a rule of that name, or removed by purge --rule\n",
                   strays->letters, buf_string(&strays->rules));
    }
    if (strays->others > 0) {
        buf_printf(out, "%" PRId64 " more belong to other bridges (%s): see --client-id ID\n",
                   strays->others, buf_string(&strays->clients));
    }
}

void letter_append_strays(struct buf *out, const struct letter_desk *desk, bool of_rules)
{
    const struct ruleset *ruleset = desk->ruleset;
    const char **names = memory_alloc((ruleset->count + 1) * sizeof(*names));
    struct dead_letter_strays strays = {.known = names, .known_count = ruleset->count};
    struct pg_failure failure;

    for (size_t i = 0; i < ruleset->count; i++) {
        names[i] = ruleset->rules[i]->name;
    }
    if (dead_letters_find_strays(desk->connection, &strays, &failure) == OUTCOME_OK) {
        append_strays(out, &strays, of_rules);
    }
    buf_fini(&strays.rules);
    buf_fini(&strays.clients);
    free(names);
}

bool letter_retry(const struct letter_desk *desk, const struct letter_choice *choice,
                  struct letter_report *report)
{
    struct mapper *mapper = mapper_new(desk->ruleset);
    struct rule_targets *targets = rule_targets_new(desk->ruleset, mapper);
    struct verdicts verdicts = {0};
    const struct round round = {.desk = desk,
                                .choice = choice,
                                .store = {.connection = desk->connection,
                                          .ruleset = desk->ruleset,
                                          .mapper = mapper,
                                          .targets = targets,
                                          .verdicts = &verdicts,
                                          .waits = true},
                                .report = report};
    struct pg_failure failure;
    bool complete = false;

    assert(desk->connection != NULL && desk->ruleset != NULL);
    rule_targets_silence(targets); /* inside the service the loader reports the alarms */
    if (rule_targets_read(targets, desk->connection, &failure) == OUTCOME_OK &&
        recall(mapper, desk->connection, 0, &failure) == OUTCOME_OK) {
        complete = retry_rules(&round);
    } else {
        buf_printf(&report->complaints, "the database refused: %s\n", failure.message);
    }
    verdicts_fini(&verdicts);
    rule_targets_free(targets);
    mapper_free(mapper);
    return complete;
}
