/* SPDX-License-Identifier: MIT */
#include "load/rule_targets.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "pg/dead_letter.h"

#define LOOK_AGAIN_MS 5000
#define HELD_MS 500 /* letters that another session holds */

struct rule_targets {
    const struct ruleset *ruleset;
    struct mapper *mapper;
    struct rule_target *list;
};

struct rule_targets *rule_targets_new(const struct ruleset *ruleset, struct mapper *mapper)
{
    struct rule_targets *targets = memory_alloc(sizeof(*targets));

    targets->ruleset = ruleset;
    targets->mapper = mapper;
    targets->list = memory_alloc((ruleset->count + 1) * sizeof(*targets->list));
    return targets;
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

void rule_targets_free(struct rule_targets *targets)
{
    if (targets == NULL) {
        return;
    }
    for (unsigned i = 0; i < targets->ruleset->count; i++) {
        forget(targets, i);
    }
    free(targets->list);
    free(targets);
}

const struct rule_target *rule_targets_get(const struct rule_targets *targets, unsigned rule)
{
    return &targets->list[rule];
}

void rule_targets_park(struct rule_targets *targets, unsigned rule, const char *reason,
                       const char *sqlstate)
{
    struct rule_target *target = &targets->list[rule];

    target->look_again_ms = clock_monotonic_ms() + LOOK_AGAIN_MS;
    target->healing = false;
    snprintf(target->sqlstate, sizeof(target->sqlstate), "%s", sqlstate == NULL ? "" : sqlstate);
    if (!target->parked || strcmp(target->reason, reason) != 0) {
        log_error("rule parked: its messages wait in the dead letters until its table works",
                  F_TEXT("rule", targets->ruleset->rules[rule]->name), F_TEXT("reason", reason),
                  F_TEXT("sqlstate", target->sqlstate));
    }
    snprintf(target->reason, sizeof(target->reason), "%s", reason);
    target->parked = true;
    mapper_skip(targets->mapper, rule, true);
}

/* Gives the rule a plan for this table. False when it can't work, with the reason in `error`. */
static bool plan_for(struct rule_targets *targets, unsigned rule, struct pg_table *table,
                     struct error *error)
{
    const struct rule *compiled = targets->ruleset->rules[rule];
    struct rule_target *target = &targets->list[rule];
    const struct table_shape *shape = table == NULL ? compiled->declared : table->shape;

    target->table = table;
    if (row_plan_new(shape, compiled->column_names, compiled->column_count, &target->plan, error) !=
        OUTCOME_OK) {
        forget(targets, rule);
        return false;
    }
    target->target = target_new(compiled->options, table, target->plan);
    mapper_set_columns(targets->mapper, rule, target->plan->columns);
    return true;
}

/* CREATE TABLE and missing columns of a rule with create = true; a refusal is the rule's problem, not the connection's. */
static enum outcome create_table(struct rule_targets *targets, struct pg_connection *connection,
                                 unsigned rule, struct pg_failure *failure)
{
    const struct rule *compiled = targets->ruleset->rules[rule];
    struct buf sql = {0};
    enum outcome outcome;

    target_create_sql(&sql, compiled->options, compiled->declared);
    outcome = pg_run(connection, buf_string(&sql), failure);
    buf_fini(&sql);
    return outcome;
}

static bool lost_connection(const struct pg_failure *failure)
{
    return failure->action == SQL_RECONNECT || failure->action == SQL_READ_WRITE;
}

/* Does the table have every column that the rule writes? Then create = true has nothing to do. */
static bool has_columns(const struct rule *rule, const struct pg_table *table)
{
    for (size_t i = 0; i < rule->column_count; i++) {
        if (table_shape_find(table->shape, slice_of(rule->column_names[i])) == NULL) {
            return false;
        }
    }
    return true;
}

/* Asks the catalog for the rule's table, making it when the rule says so. *table NULL: it is not there. */
static enum outcome find_table(struct rule_targets *targets, struct pg_connection *connection,
                               unsigned rule, struct pg_table **table, struct pg_failure *failure)
{
    const struct rule *compiled = targets->ruleset->rules[rule];
    struct slice name = slice_of(compiled->options->table.text);
    enum outcome outcome = pg_catalog_table(connection, name, table, failure);

    if (outcome != OUTCOME_OK || !compiled->options->create) {
        return outcome;
    }
    if (*table != NULL && has_columns(compiled, *table)) {
        return OUTCOME_OK;
    }
    pg_table_free(*table);
    *table = NULL;
    outcome = create_table(targets, connection, rule, failure);
    return outcome == OUTCOME_OK ? pg_catalog_table(connection, name, table, failure) : outcome;
}

/* Reads one rule's table. OUTCOME_RETRY only for a lost connection; any other trouble is in *error and *works is false. */
static enum outcome read_rule(struct rule_targets *targets, struct pg_connection *connection,
                              unsigned rule, bool *works, struct error *error,
                              struct pg_failure *failure)
{
    const struct rule *compiled = targets->ruleset->rules[rule];
    struct pg_table *table = NULL;

    forget(targets, rule);
    *works = false;
    error_clear(error);
    if (compiled->options->sql.text == NULL) {
        if (find_table(targets, connection, rule, &table, failure) != OUTCOME_OK) {
            if (lost_connection(failure)) {
                return OUTCOME_RETRY;
            }
            error_set(error, OUTCOME_REJECT, "%s", failure->message);
            memcpy(error->sqlstate, failure->sqlstate, sizeof(error->sqlstate));
            return OUTCOME_OK;
        }
        if (table == NULL) {
            error_set(error, OUTCOME_REJECT, "table \"%s\" does not exist",
                      compiled->options->table.text);
            memcpy(error->sqlstate, "42P01", sizeof(error->sqlstate));
            return OUTCOME_OK;
        }
    }
    if (table != NULL && !table->can_insert) {
        error_set(error, OUTCOME_REJECT, "no permission to insert into \"%s\"",
                  compiled->options->table.text);
        memcpy(error->sqlstate, "42501", sizeof(error->sqlstate));
        pg_table_free(table);
        return OUTCOME_OK;
    }
    *works = plan_for(targets, rule, table, error);
    return OUTCOME_OK;
}

/* Are there letters parked from earlier? They must be stored before newer messages. */
static enum outcome has_parked(struct pg_connection *connection, const char *schema,
                               const char *rule, bool *parked, struct pg_failure *failure)
{
    const struct dead_letter_query query = {.rule = rule, .parked = 1, .limit = 1};
    struct dead_letter_rows rows = {0};
    enum outcome outcome = dead_letters_read(connection, schema, &query, &rows, failure);

    *parked = rows.count > 0;
    dead_letter_rows_fini(&rows);
    return outcome;
}

enum outcome rule_targets_read(struct rule_targets *targets, struct pg_connection *connection,
                               const char *schema, struct pg_failure *failure)
{
    struct error error;
    bool works, parked;

    for (unsigned i = 0; i < targets->ruleset->count; i++) {
        struct rule_target *target = &targets->list[i];

        if (read_rule(targets, connection, i, &works, &error, failure) != OUTCOME_OK ||
            has_parked(connection, schema, targets->ruleset->rules[i]->name, &parked, failure) !=
                OUTCOME_OK) {
            return OUTCOME_RETRY;
        }
        if (!works) {
            rule_targets_park(targets, i, error.text, error.sqlstate);
            continue;
        }
        /* What was parked because its statements were refused is looked at again when its time has come, not sooner. */
        target->healing = parked && target->look_again_ms <= clock_monotonic_ms();
        target->parked = parked;
        mapper_skip(targets->mapper, i, parked);
    }
    return OUTCOME_OK;
}

int rule_targets_due(const struct rule_targets *targets)
{
    int64_t now = clock_monotonic_ms();

    for (unsigned i = 0; i < targets->ruleset->count; i++) {
        if (targets->list[i].parked &&
            (targets->list[i].healing || targets->list[i].look_again_ms <= now)) {
            return (int) i;
        }
    }
    return -1;
}

int64_t rule_targets_wait(const struct rule_targets *targets)
{
    int64_t now = clock_monotonic_ms();
    int64_t wait = -1;

    for (unsigned i = 0; i < targets->ruleset->count; i++) {
        const struct rule_target *target = &targets->list[i];
        int64_t left =
            target->healing || target->look_again_ms <= now ? 0 : target->look_again_ms - now;
        if (target->parked && (wait < 0 || left < wait)) {
            wait = left;
        }
    }
    return wait;
}

enum outcome rule_targets_look(struct rule_targets *targets, struct pg_connection *connection,
                               unsigned rule, struct pg_failure *failure)
{
    struct rule_target *target = &targets->list[rule];
    struct error error;
    bool works;

    if (read_rule(targets, connection, rule, &works, &error, failure) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    target->healing = works;
    if (!works) {
        rule_targets_park(targets, rule, error.text, error.sqlstate);
    }
    return OUTCOME_OK;
}

enum outcome rule_targets_unpark(struct rule_targets *targets, struct pg_connection *connection,
                                 const char *schema, unsigned rule, struct pg_failure *failure)
{
    struct rule_target *target = &targets->list[rule];
    const char *name = targets->ruleset->rules[rule]->name;
    bool parked;

    if (has_parked(connection, schema, name, &parked, failure) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    if (parked) { /* somebody holds some of them: `dead-letters retry`, most likely */
        target->healing = false;
        target->look_again_ms = clock_monotonic_ms() + HELD_MS;
        return OUTCOME_OK;
    }
    target->parked = target->healing = false;
    target->reason[0] = '\0';
    mapper_skip(targets->mapper, rule, false);
    log_info("rule works again", F_TEXT("rule", name));
    return OUTCOME_OK;
}

/* Do both shapes have the same columns, as far as rows are made by them? */
static bool same_shape(const struct table_shape *left, const struct table_shape *right)
{
    if (left->count != right->count) {
        return false;
    }
    for (size_t i = 0; i < left->count; i++) {
        const struct column_shape *a = &left->columns[i], *b = &right->columns[i];
        if (strcmp(a->name, b->name) != 0 || a->type_oid != b->type_oid || a->typmod != b->typmod ||
            a->not_null != b->not_null || a->generated != b->generated) {
            return false;
        }
    }
    return true;
}

enum outcome rule_targets_refresh(struct rule_targets *targets, struct pg_connection *connection,
                                  unsigned rule, bool *changed, struct pg_failure *failure)
{
    struct rule_target *target = &targets->list[rule];
    struct pg_table *old = target->table;
    struct error error;
    bool works;
    enum outcome outcome;

    *changed = false;
    if (old == NULL) {
        return OUTCOME_OK;
    }
    target->table = NULL; /* kept for the comparison */
    outcome = read_rule(targets, connection, rule, &works, &error, failure);
    if (outcome == OUTCOME_OK && !works) {
        rule_targets_park(targets, rule, error.text, error.sqlstate);
        *changed = true;
    } else if (outcome == OUTCOME_OK) {
        *changed = !same_shape(old->shape, target->table->shape);
    }
    pg_table_free(old);
    return outcome;
}
