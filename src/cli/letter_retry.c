/* SPDX-License-Identifier: MIT */
#include "cli/letter_retry.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/cli_call.h"
#include "load/recall.h"
#include "load/retry.h"
#include "pg/dead_letter.h"

#define RETRY_LETTERS 500
#define SOON_MAX 10 /* deadlocks and the like */

int letter_database_failed(const struct pg_failure *failure)
{
    fprintf(stderr, "mqtt2pg: the database refused: %s\n", failure->message);
    return CLI_FAILED;
}

const char *letter_client_id(const struct letter_desk *desk, const struct letter_choice *choice)
{
    return choice->client_id != NULL ? choice->client_id : pg_client_id(desk->connection);
}

/* All letters of one rule, portion by portion, each letter once. */
static bool retry_rule(const struct letter_desk *desk, const struct store *store,
                       struct mapper *mapper, unsigned rule, const struct letter_choice *choice,
                       struct retry_counts *total)
{
    /* Whoever waits for a parked letter's acknowledgment gets it from the service, which stores it
     * by itself. */
    bool acknowledges = desk->generation->ruleset->rules[rule]->ack != NULL;
    struct dead_letter_query query = {.client_id = letter_client_id(desk, choice),
                                      .id = choice->id,
                                      .parked = acknowledges ? 0 : -1,
                                      .limit = RETRY_LETTERS};
    struct pg_failure failure = {.message = ""};
    enum store_result result;
    uint64_t before;
    int patience = SOON_MAX;

    do {
        before = total->letters;
        result = retry_letters(store, mapper, rule, &query, total, &failure);
        query.after_id = total->last_id;
        if (result == STORE_SMALLER && query.limit > 1) {
            query.limit /= 2;
            result = STORE_AGAIN;
        }
        if (result == STORE_SOON && patience-- > 0) {
            result = STORE_AGAIN;
        }
    } while (result == STORE_AGAIN || (result == STORE_DONE && total->letters > before));
    total->last_id = 0;
    if (result != STORE_DONE) {
        fprintf(stderr, "mqtt2pg: rule \"%s\": %s\n", desk->generation->ruleset->rules[rule]->name,
                failure.message);
    }
    return result == STORE_DONE;
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static int retry_rules(const struct letter_desk *desk, const struct letter_choice *choice,
                       const struct store *store, struct mapper *mapper)
{
    const struct ruleset *ruleset = desk->generation->ruleset;
    struct retry_counts total = {0};
    bool complete = true, known = false;

    for (unsigned i = 0; i < ruleset->count; i++) {
        const struct rule_target *target = rule_targets_get(store->targets, i);

        if (choice->rule != NULL && strcmp(choice->rule, ruleset->rules[i]->name) != 0) {
            continue;
        }
        known = true;
        if (target->plan == NULL) {
            fprintf(stderr, "mqtt2pg: rule \"%s\": %s\n", ruleset->rules[i]->name, target->reason);
            complete = false;
            continue;
        }
        complete &= retry_rule(desk, store, mapper, i, choice, &total);
    }
    if (!known) {
        fprintf(stderr, "mqtt2pg: there is no rule \"%s\"\n", choice->rule);
        return CLI_FAILED;
    }
    printf("%" PRIu64 " dead letter%s retried: %" PRIu64 " stored (%" PRIu64 " row%s), %" PRIu64
           " filtered, %" PRIu64 " rejected again\n",
           total.letters, plural(total.letters), total.stored, total.rows, plural(total.rows),
           total.filtered, total.rejected);
    if (choice->id != 0 && total.letters == 0) {
        fprintf(stderr,
                "mqtt2pg: no rule of this configuration has a dead letter %" PRId64
                " that could be retried; a parked one that is to be acknowledged is stored by the "
                "service\n",
                choice->id);
        complete = false;
    }
    return complete ? CLI_DONE : CLI_FAILED;
}

static void print_strays(struct dead_letter_strays *strays, bool of_rules)
{
    if (strays->letters > 0 && of_rules) {
        fprintf(stderr,
                "mqtt2pg: %" PRId64 " more belong to rules that this configuration does not have "
                "(%s): they are retried by a rule of that name, or removed by purge --rule\n",
                strays->letters, buf_string(&strays->rules));
    }
    if (strays->others > 0) {
        fprintf(stderr,
                "mqtt2pg: %" PRId64 " more belong to other bridges (%s): see --client-id ID\n",
                strays->others, buf_string(&strays->clients));
    }
}

void letter_tell_strays(const struct letter_desk *desk, bool of_rules)
{
    const struct ruleset *ruleset = desk->generation->ruleset;
    const char **names = memory_alloc((ruleset->count + 1) * sizeof(*names));
    struct dead_letter_strays strays = {.known = names, .known_count = ruleset->count};
    struct pg_failure failure;

    for (size_t i = 0; i < ruleset->count; i++) {
        names[i] = ruleset->rules[i]->name;
    }
    if (dead_letters_find_strays(desk->connection, &strays, &failure) == OUTCOME_OK) {
        print_strays(&strays, of_rules);
    }
    buf_fini(&strays.rules);
    buf_fini(&strays.clients);
    free(names);
}

int letter_retry(const struct letter_desk *desk, const struct letter_choice *choice)
{
    struct mapper *mapper = mapper_new(desk->generation->ruleset);
    struct rule_targets *targets = rule_targets_new(desk->generation->ruleset, mapper);
    struct verdicts verdicts = {0};
    const struct store store = {.connection = desk->connection,
                                .ruleset = desk->generation->ruleset,
                                .targets = targets,
                                .verdicts = &verdicts};
    struct pg_failure failure;
    int exit_code;

    if (rule_targets_read(targets, desk->connection, &failure) == OUTCOME_OK &&
        recall(mapper, desk->connection, &failure) == OUTCOME_OK) {
        exit_code = retry_rules(desk, choice, &store, mapper);
        if (choice->rule == NULL && choice->id == 0) {
            letter_tell_strays(desk, choice->client_id == NULL);
        }
    } else {
        exit_code = letter_database_failed(&failure);
    }
    verdicts_fini(&verdicts);
    rule_targets_free(targets);
    mapper_free(mapper);
    return exit_code;
}
