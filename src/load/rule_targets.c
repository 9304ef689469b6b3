/* SPDX-License-Identifier: MIT */
#include "load/rule_targets.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/health.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "load/rule_groups.h"
#include "load/rule_turns.h"
#include "load/table_search.h"
#include "pg/dead_letter.h"

#define TAKEN_MS 500 /* pause before the next look while another session has locked letters */

struct rule_targets {
    const struct ruleset *ruleset;
    struct mapper *mapper;
    struct rule_target *list;
    struct rule_groups groups;   /* of that list */
    unsigned turn;               /* the rule with which rule_targets_due() begins */
    struct added_columns *added; /* borrowed; NULL: columns that are missing stay missing */
    bool silent; /* rules that are set aside are not shown in log, health and metrics */
};

struct rule_targets *rule_targets_new(const struct ruleset *ruleset, struct mapper *mapper)
{
    struct rule_targets *targets = memory_alloc(sizeof(*targets));

    *targets = (struct rule_targets){.ruleset = ruleset, .mapper = mapper};
    targets->list = memory_alloc((ruleset->count + 1) * sizeof(*targets->list));
    targets->groups = (struct rule_groups){targets->list, (unsigned) ruleset->count};
    return targets;
}

void rule_targets_set_added(struct rule_targets *targets, struct added_columns *added)
{
    targets->added = added;
}

void rule_targets_silence(struct rule_targets *targets)
{
    targets->silent = true;
}

bool rule_targets_aside(const struct rule_targets *targets, unsigned rule)
{
    assert(rule < targets->ruleset->count);
    return targets->list[rule].state > RULE_WORKS;
}

bool rule_targets_healing(const struct rule_targets *targets, unsigned rule)
{
    assert(rule < targets->ruleset->count);
    return rule_state_heals(targets->list[rule].state);
}

/* Forgets the catalog's answer; whether the rule is parked stays. */
static void forget(struct rule_targets *targets, unsigned rule)
{
    struct rule_target *target = &targets->list[rule];

    mapper_set_columns(targets->mapper, rule, NULL);
    target_free(target->target);
    row_plan_free(target->plan);
    pg_table_free(target->table);
    target->target = NULL;
    target->plan = NULL;
    target->table = NULL;
}

/* The log reports a parked rule once; the metric and the page show it while it is parked. `reason`
 * NULL: the rule works. */
static void show_parked(const struct rule_targets *targets, unsigned rule, const char *reason)
{
    const struct rule *compiled = targets->ruleset->rules[rule];

    if (targets->silent) {
        return;
    }
    if (reason != NULL && targets->list[rule].state == RULE_HELD) {
        health_set_held(compiled->name, reason);
    } else {
        health_set_parked(compiled->name, reason);
    }
    metric_rule_set(compiled->metrics, RULE_METRIC_PARKED, reason != NULL);
}

void rule_targets_free(struct rule_targets *targets)
{
    if (targets == NULL) {
        return;
    }
    for (unsigned i = 0; i < targets->ruleset->count; i++) {
        forget(targets, i);
        show_parked(targets, i, NULL);
    }
    free(targets->list);
    free(targets);
}

const struct rule_target *rule_targets_get(const struct rule_targets *targets, unsigned rule)
{
    assert(rule < targets->ruleset->count);
    return &targets->list[rule];
}

/* Parks or holds a rule. */
static void set_aside(struct rule_targets *targets, unsigned rule, enum rule_state state,
                      const char *reason, const char *sqlstate)
{
    struct rule_target *target = &targets->list[rule];
    const char *name = targets->ruleset->rules[rule]->name;
    char about_rule[sizeof(target->reason)];

    assert(state == RULE_PARKED || state == RULE_HELD);
    /* DETAIL quotes the values of one row, and the reason is written into all letters. */
    const char *detail = strstr(reason, HEALTH_DETAIL);
    snprintf(about_rule, sizeof(about_rule), "%.*s",
             (int) (detail == NULL ? strlen(reason) : (size_t) (detail - reason)), reason);
    bool known =
        targets->silent || (target->state > RULE_WORKS && strcmp(target->reason, about_rule) == 0);
    target->look_again_ms = clock_monotonic_ms() + rule_turns_look_ms(target, sqlstate);
    target->state = state;
    snprintf(target->sqlstate, sizeof(target->sqlstate), "%s", sqlstate == NULL ? "" : sqlstate);
    memcpy(target->reason, about_rule, sizeof(target->reason));
    if (!known) {
        log_error_state(
            name,
            state == RULE_PARKED
                ? "rule parked: its messages wait in the dead letters until its table works"
                : "rule held: its table takes no rows now, its messages wait in the dead letters",
            F_TEXT("rule", name), F_TEXT("reason", target->reason),
            F_TEXT("sqlstate", target->sqlstate));
    }
    show_parked(targets, rule, target->reason);
}

void rule_targets_park(struct rule_targets *targets, unsigned rule, const char *reason,
                       const char *sqlstate)
{
    set_aside(targets, rule, RULE_PARKED, reason, sqlstate);
}

void rule_targets_hold(struct rule_targets *targets, unsigned rule, const char *reason,
                       const char *sqlstate)
{
    assert(rule < targets->ruleset->count);
    for (unsigned i = 0; i < targets->ruleset->count; i++) {
        if (rule_groups_same(&targets->list[rule], &targets->list[i]) &&
            (i == rule || targets->list[i].state != RULE_PARKED)) {
            set_aside(targets, i, RULE_HELD, reason, sqlstate);
        }
    }
}

bool rule_targets_several(const struct rule_targets *targets)
{
    return rule_groups_several(&targets->groups);
}

void rule_targets_resume(struct rule_targets *targets, unsigned rule)
{
    rule_groups_resume(&targets->groups, rule);
}

size_t rule_targets_group(const struct rule_targets *targets, unsigned rule, unsigned *group)
{
    return rule_groups_healing(&targets->groups, rule, group);
}

unsigned rule_targets_futile(struct rule_targets *targets, unsigned rule)
{
    assert(rule < targets->ruleset->count);
    return ++targets->list[rule].futile;
}

void rule_targets_refused_alone(struct rule_targets *targets, unsigned rule)
{
    assert(rule < targets->ruleset->count);
    targets->list[rule].alone++;
}

void rule_targets_count_each(struct rule_targets *targets, unsigned rule, bool each)
{
    assert(rule < targets->ruleset->count);
    targets->list[rule].counts_each = each;
}

void rule_targets_stored(struct rule_targets *targets, unsigned rule)
{
    assert(rule < targets->ruleset->count);
    targets->list[rule].alone = 0;
    targets->list[rule].futile = 0;
}

/* Gives the rule a plan for this table. False when it can't work, with the reason in `error`. */
static bool plan_for(struct rule_targets *targets, unsigned rule, struct pg_table *table,
                     struct error *error)
{
    const struct rule *compiled = targets->ruleset->rules[rule];
    struct rule_target *target = &targets->list[rule];
    const struct table_shape *shape = table == NULL ? compiled->declared : table->shape;

    target->table = table;
    assert(target->plan == NULL && target->target == NULL);
    if (row_plan_make(shape, &compiled->feed, &target->plan, error) != OUTCOME_OK) {
        /* The rule is parked until the rules are compiled without the dropped columns. */
        if (targets->added != NULL && table != NULL &&
            added_columns_drop(targets->added, compiled->options, shape) > 0) {
            log_info("added columns are not in the table any more: the rule goes on without them",
                     F_TEXT("rule", compiled->name), F_TEXT("reason", error->text));
        }
        forget(targets, rule);
        return false;
    }
    target->target = target_new(compiled->options, table, target->plan);
    mapper_set_columns(targets->mapper, rule, target->plan->columns);
    return true;
}

/* From now on the rule writes to the table that was found (NULL: it has SQL of its own). False when
 * the rule can't work, with the reason in *error. */
static bool use_found(struct rule_targets *targets, unsigned rule, struct pg_found *found,
                      struct error *error)
{
    struct pg_table *table = NULL;

    forget(targets, rule);
    error_clear(error);
    if (found != NULL) {
        if (!table_search_usable(found, targets->ruleset->rules[rule], error)) {
            return false;
        }
        table = found->table;
        found->table = NULL;
    }
    return plan_for(targets, rule, table, error);
}

/* What was read from the catalog for one rule. */
struct answer {
    bool works;
    bool closed;        /* no rule can write to the table: it is gone, or the role may not */
    struct error error; /* why the table does not work */
};

/* Reads one rule's table. OUTCOME_RETRY: the connection is lost. */
static enum outcome read_rule(struct rule_targets *targets, struct pg_connection *connection,
                              unsigned rule, struct answer *answer, struct pg_failure *failure)
{
    struct pg_found found = {0};
    struct table_search look = {targets->ruleset, &rule, 1, &found};
    bool has_table = targets->ruleset->rules[rule]->options->sql.text == NULL;

    if (has_table && table_search_run(connection, &look, failure) != OUTCOME_OK) {
        table_search_free(&look);
        forget(targets, rule);
        targets->list[rule].state = rule_state_unread(targets->list[rule].state);
        answer->works = false;
        return OUTCOME_RETRY;
    }
    answer->closed = has_table && (found.table == NULL || !found.table->can_insert);
    answer->works = use_found(targets, rule, has_table ? &found : NULL, &answer->error);
    rule_groups_place(&targets->groups);
    table_search_free(&look);
    return OUTCOME_OK;
}

/* Which rules have parked letters? They must be stored before newer messages. `parked` has room for
 * all rules. */
static enum outcome read_parked(const struct rule_targets *targets,
                                struct pg_connection *connection, bool *parked,
                                struct pg_failure *failure)
{
    size_t count = targets->ruleset->count;
    const char **names = memory_alloc((count + 1) * sizeof(*names));
    enum outcome outcome;

    for (size_t i = 0; i < count; i++) {
        names[i] = targets->ruleset->rules[i]->name;
    }
    outcome = dead_letters_parked(connection, names, count, parked, failure);
    free(names);
    return outcome;
}

static const char parked_earlier[] = "messages parked from earlier are being stored";

/* `found` is NULL for a rule with SQL of its own. */
static void update_rule(struct rule_targets *targets, unsigned rule, struct pg_found *found,
                        bool parked)
{
    struct rule_target *target = &targets->list[rule];
    struct error error;

    if (!use_found(targets, rule, found, &error)) {
        rule_targets_park(targets, rule, error.text, error.sqlstate);
        return;
    }
    /* A rule that was parked because its statements were refused gets its next look in time, not
     * sooner. */
    if (!parked) {
        target->state = RULE_WORKS;
        target->reason[0] = '\0';
    } else if (target->look_again_ms <= clock_monotonic_ms()) {
        target->state = rule_state_healing(target->state);
    } else if (target->state <= RULE_WORKS) {
        target->state = RULE_PARKED;
    }
    if (parked && target->reason[0] == '\0') {
        snprintf(target->reason, sizeof(target->reason), "%s", parked_earlier);
    }
    show_parked(targets, rule, parked ? parked_earlier : NULL);
}

enum outcome rule_targets_read(struct rule_targets *targets, struct pg_connection *connection,
                               struct pg_failure *failure)
{
    unsigned count = targets->groups.count;
    unsigned *with_table = memory_alloc((count + 1) * sizeof(*with_table));
    bool *parked = memory_alloc((count + 1) * sizeof(*parked));
    struct table_search look = {targets->ruleset, with_table, 0,
                                memory_alloc((count + 1) * sizeof(*look.found))};
    enum outcome outcome;

    for (unsigned i = 0; i < count; i++) {
        if (targets->ruleset->rules[i]->options->sql.text == NULL) {
            with_table[look.count++] = i;
        }
    }
    outcome = table_search_run(connection, &look, failure);
    if (outcome == OUTCOME_OK) {
        outcome = read_parked(targets, connection, parked, failure);
    }
    for (unsigned i = 0, next = 0; outcome == OUTCOME_OK && i < count; i++) {
        bool has_table = next < look.count && with_table[next] == i;
        update_rule(targets, i, has_table ? &look.found[next] : NULL, parked[i]);
        next += has_table ? 1 : 0;
    }
    rule_groups_place(&targets->groups);
    for (unsigned i = 0; outcome == OUTCOME_OK && i < count; i++) {
        if (rule_targets_healing(targets, i)) {
            rule_groups_heal(&targets->groups, i);
        }
    }
    if (outcome == OUTCOME_OK) {
        rule_groups_check(&targets->groups);
    }
    table_search_free(&look);
    free(look.found);
    free(parked);
    free(with_table);
    return outcome == OUTCOME_OK ? OUTCOME_OK : OUTCOME_RETRY;
}

int rule_targets_due(struct rule_targets *targets)
{
    int rule = rule_turns_next(&targets->groups, targets->turn, clock_monotonic_ms());

    targets->turn = rule >= 0 ? (unsigned) rule + 1 : targets->turn;
    return rule;
}

int64_t rule_targets_wait(const struct rule_targets *targets)
{
    return rule_turns_wait(&targets->groups, clock_monotonic_ms());
}

/* Reads the tables of the other rules that may write to the table of `rule`, so that rules whose
 * table came back heal together. One of them may still count as working: its table was dropped and
 * created again while the rule had no message. */
static enum outcome look_at_others(struct rule_targets *targets, struct pg_connection *connection,
                                   unsigned rule, struct pg_failure *failure)
{
    struct rule *const *rules = targets->ruleset->rules;

    for (unsigned i = 0; i < targets->ruleset->count; i++) {
        struct answer answer;

        if (i == rule || rule_targets_healing(targets, i) ||
            !rule_groups_may_share(rules[rule], rules[i])) {
            continue;
        }
        if (read_rule(targets, connection, i, &answer, failure) != OUTCOME_OK) {
            return OUTCOME_RETRY;
        }
        if (!answer.works) {
            rule_targets_park(targets, i, answer.error.text, answer.error.sqlstate);
        }
    }
    return OUTCOME_OK;
}

enum outcome rule_targets_look(struct rule_targets *targets, struct pg_connection *connection,
                               unsigned rule, struct pg_failure *failure)
{
    struct answer answer;

    assert(rule_targets_aside(targets, rule));
    if (read_rule(targets, connection, rule, &answer, failure) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    if (!answer.works) {
        rule_targets_park(targets, rule, answer.error.text, answer.error.sqlstate);
        return OUTCOME_OK;
    }
    if (look_at_others(targets, connection, rule, failure) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    rule_groups_heal(&targets->groups, rule);
    rule_groups_check(&targets->groups);
    return OUTCOME_OK;
}

static void set_works(struct rule_targets *targets, unsigned rule)
{
    struct rule_target *target = &targets->list[rule];
    const char *name = targets->ruleset->rules[rule]->name;
    bool told = target->reason[0] != '\0'; /* false: it only waited for another rule's letters */

    target->state = RULE_WORKS;
    target->futile = 0;
    target->reason[0] = '\0';
    show_parked(targets, rule, NULL);
    if (told && !targets->silent) {
        log_info_state(name, "rule works again", F_TEXT("rule", name));
    }
}

enum outcome rule_targets_unpark(struct rule_targets *targets, struct pg_connection *connection,
                                 unsigned rule, struct pg_failure *failure)
{
    size_t room = targets->ruleset->count + 1;
    unsigned *group = memory_alloc(room * sizeof(*group));
    bool *parked = memory_alloc(room * sizeof(*parked)), any = false;
    size_t count = rule_targets_group(targets, rule, group);
    enum outcome outcome = read_parked(targets, connection, parked, failure);

    assert(rule_targets_healing(targets, rule));
    for (size_t i = 0; i < count; i++) {
        any = any || parked[group[i]];
    }
    for (size_t i = 0; outcome == OUTCOME_OK && i < count; i++) {
        struct rule_target *target = &targets->list[group[i]];

        if (any) { /* another session has locked some of them, most likely `dead-letters retry` */
            target->state = rule_state_waiting(target->state);
            target->look_again_ms = clock_monotonic_ms() + TAKEN_MS;
        } else {
            set_works(targets, group[i]);
        }
    }
    free(parked);
    free(group);
    return outcome == OUTCOME_OK ? OUTCOME_OK : OUTCOME_RETRY;
}

/* Nobody can write to the table `oid` (0: none): its other rules are parked too, also those that
 * have no message now. Else their rows would overtake parked messages once the table is back. */
static void park_table(struct rule_targets *targets, uint32_t oid, const struct error *error)
{
    for (unsigned i = 0; i < targets->groups.count; i++) {
        const struct rule_target *target = &targets->list[i];

        if (target->table != NULL && target->table->oid == oid && target->state != RULE_PARKED) {
            rule_targets_park(targets, i, error->text, error->sqlstate);
        }
    }
}

enum outcome rule_targets_refresh(struct rule_targets *targets, struct pg_connection *connection,
                                  unsigned rule, bool *changed, struct pg_failure *failure)
{
    struct rule_target *target = &targets->list[rule];
    struct pg_table *old = target->table;
    struct answer answer;
    enum outcome outcome;

    *changed = false;
    if (old == NULL) {
        return OUTCOME_OK;
    }
    target->table = NULL; /* kept for the comparison */
    outcome = read_rule(targets, connection, rule, &answer, failure);
    if (outcome == OUTCOME_OK && !answer.works) {
        rule_targets_park(targets, rule, answer.error.text, answer.error.sqlstate);
        park_table(targets, answer.closed ? old->oid : 0, &answer.error);
        *changed = true;
    } else if (outcome == OUTCOME_OK) {
        *changed = !table_search_same(old->shape, target->table->shape);
        rule_groups_join(&targets->groups, rule);
    }
    pg_table_free(old);
    return outcome;
}
