/* SPDX-License-Identifier: MIT */
#include "pg/target.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "pg/pg_statements.h"
#include "pg/target_sql.h"
#include "row/copy_arrays.h"

/* A target without statements: the format, and of each column the type of the array's elements by
 * which its values travel. One element more than needed, so that zero columns are no special
 * case. */
static struct target *new_target(const struct row_plan *plan)
{
    struct target *target = memory_alloc(sizeof(*target));

    target->format = plan->format;
    target->column_count = plan->count;
    target->elements = memory_alloc((plan->count + 1) * sizeof(*target->elements));
    for (size_t i = 0; i < plan->count; i++) {
        target->elements[i] = copy_array_element(plan->columns[i], plan->format);
    }
    return target;
}

/* Adds a statement; takes the text. */
static void add_statement(struct target *target, char *sql, bool takes_rows)
{
    size_t count = target->statement_count++;

    assert(sql != NULL);
    assert(target->own_count > 0 || count == 0); /* a rule with `table` has one statement */

    target->statements =
        memory_resize(target->statements, (count + 1) * sizeof(*target->statements));
    target->statements[count] = (struct target_statement){.sql = sql, .takes_rows = takes_rows};
}

/* RETURNING gives the rows as they are stored, with defaults and the changes of BEFORE triggers.
 * The rollback removes the temporary table. */
struct target *target_rehearsal_new(const struct rule_options *rule, const struct pg_table *table,
                                    const struct row_plan *plan)
{
    struct target *target = new_target(plan);
    struct buf relation = {0};
    struct buf sql = {0};

    assert(table != NULL && rule->sql.text == NULL);
    target_sql_relation(&relation, table);
    const struct staging staging = {
        .rule = rule, .plan = plan, .relation = buf_string(&relation), .temporary = true};
    target_sql_insert(&sql, &staging);
    /* Not "stored", which could be a column's name. */
    buf_append_text(&sql, "\nRETURNING row_to_json(stored.*)::text");
    target->before = target_sql_temporary(&staging);
    target->copy = target_sql_copy(plan, "pg_temp.batch");
    target->after = memory_copy(buf_slice(&sql));
    buf_fini(&relation);
    buf_fini(&sql);
    return target;
}

/* Cuts the rule's own SQL into statements. pg_check_statements() has accepted the text when the
 * configuration was read, so reading stops only at its end. The server refuses what is wrong in
 * the statements themselves. */
static void take_own(struct target *target, const char *text)
{
    struct slice sql = slice_of(text), statement = {0};
    struct error error;

    assert(text != NULL && target->own_count == 0);
    while (pg_take_statement(&sql, &statement, &error) == OUTCOME_OK && statement.length > 0) {
        target->own = memory_resize(target->own, (target->own_count + 1) * sizeof(target->own[0]));
        target->own[target->own_count++] = memory_copy(statement);
    }
}

/* Must the rows stand in a table called "batch"? One statement that needs it decides for all of
 * them: the others read from that table, too. */
static bool needs_table(const struct target *target)
{
    for (size_t i = 0; i < target->own_count; i++) {
        if (pg_batch_use(slice_of(target->own[i])) == PG_BATCH_TABLE) {
            return true;
        }
    }
    return target->own_count == 0;
}

static void free_own(struct target *target)
{
    for (size_t i = 0; i < target->own_count; i++) {
        free(target->own[i]);
    }
    free(target->own);
    target->own = NULL;
    target->own_count = 0;
}

/* Own SQL whose statements only read the rows: each gets WITH batch AS (…) in front, over the same
 * parameters. A statement that does not name the rows is sent as it is, without parameters. The
 * texts of `own` are not needed any more. */
static void own_by_statements(struct target *target, const struct staging *staging)
{
    struct buf source = {0};

    assert(!staging->temporary && target->own_count > 0);
    target_sql_source(&source, staging);
    for (size_t i = 0; i < target->own_count; i++) {
        struct slice own = slice_of(target->own[i]);
        bool reads = pg_batch_use(own) == PG_BATCH_READ;
        struct buf sql = {0};

        if (reads) {
            pg_append_with(&sql, own, "batch", buf_string(&source));
        } else {
            buf_append_slice(&sql, own);
        }
        add_statement(target, memory_copy(buf_slice(&sql)), reads);
        buf_fini(&sql);
    }
    free_own(target);
    buf_fini(&source);
}

/* Own SQL that needs a table. The table is dropped right after the statements, not at COMMIT:
 * another rule in the same transaction makes a table of the same name. */
static void own_by_table(struct target *target, struct staging *staging)
{
    staging->temporary = true;
    target->before = target_sql_temporary(staging);
    target->copy = target_sql_copy(staging->plan, "pg_temp.batch");
    target->relation = memory_strdup("batch");
    target->after = memory_strdup("DROP TABLE pg_temp.batch");
}

struct target *target_new(const struct rule_options *rule, const struct pg_table *table,
                          const struct row_plan *plan)
{
    struct target *target = new_target(plan);
    struct staging staging = {.rule = rule, .plan = plan};
    struct buf relation = {0}, insert = {0};

    if (table == NULL) {
        take_own(target, rule->sql.text);
        if (needs_table(target)) {
            own_by_table(target, &staging);
        } else {
            own_by_statements(target, &staging);
        }
    } else {
        target_sql_relation(&relation, table);
        staging.relation = buf_string(&relation);
        target_sql_insert(&insert, &staging);
        add_statement(target, memory_copy(buf_slice(&insert)), true);
        target->check = target_sql_check(staging.relation, plan);
        if (table->copy_works && rule->on_conflict == CONFLICT_ERROR && plan->computed_count == 0) {
            target->copy = target_sql_copy(plan, staging.relation);
            target->relation = memory_strdup(table->shape->name);
        }
    }
    assert((target->statement_count > 0) != (target->before != NULL)); /* one way, never both */
    assert((target->copy == NULL) == (target->relation == NULL));
    target_probes_init(&target->probes, plan, table == NULL ? NULL : buf_string(&relation));
    buf_fini(&relation);
    buf_fini(&insert);
    return target;
}

void target_free(struct target *target)
{
    if (target == NULL) {
        return;
    }
    for (size_t i = 0; i < target->statement_count; i++) {
        free(target->statements[i].sql);
    }
    free(target->statements);
    free_own(target);
    free(target->copy);
    free(target->relation);
    free(target->before);
    free(target->after);
    free(target->check);
    target_probes_fini(&target->probes);
    free(target->elements);
    free(target);
}

void target_values_init(struct target_values *values, const struct target *target,
                        struct slice rows, size_t row_count)
{
    *values = (struct target_values){.count = target->column_count};
    values->arrays = memory_alloc((values->count + 1) * sizeof(*values->arrays));
    values->values = memory_alloc((values->count + 1) * sizeof(*values->values));
    copy_arrays_append(
        values->arrays, target->elements, values->count,
        &(struct copy_rows){.format = target->format, .bytes = rows, .count = row_count});
    for (size_t i = 0; i < values->count; i++) {
        values->values[i] = buf_slice(&values->arrays[i]);
    }
}

void target_values_fini(struct target_values *values)
{
    assert(values->count == 0 || values->arrays != NULL);
    for (size_t i = 0; i < values->count; i++) {
        buf_fini(&values->arrays[i]);
    }
    free(values->arrays);
    free(values->values);
    *values = (struct target_values){0};
}

void target_add_steps(const struct target *target, const struct target_values *values,
                      struct pg_steps *steps)
{
    assert(target->statement_count > 0);
    for (size_t i = 0; i < target->statement_count; i++) {
        const struct target_statement *statement = &target->statements[i];
        size_t count = statement->takes_rows ? values->count : 0;

        (void) pg_steps_add(steps, statement->sql, values->values, count, true);
    }
}

void target_check_failure(struct pg_failure *failure)
{
    pg_failure_set(failure, SQL_ROW, "a column has another type now");
    memcpy(failure->sqlstate, "42804", sizeof(failure->sqlstate));
}

/* Four round trips and one for each own statement. After a failure the transaction is aborted and
 * the caller rolls it back, which drops the table too. */
static enum outcome run_temporary(struct pg_connection *connection, const struct target *target,
                                  struct slice rows, struct pg_failure *failure)
{
    struct buf header = {0}, trailer = {0};
    assert(target->before != NULL && target->copy != NULL && target->after != NULL);
    enum outcome outcome = pg_run(connection, target->before, failure);

    copy_append_header(&header, target->format);
    copy_append_trailer(&trailer, target->format);
    const struct slice parts[] = {buf_slice(&header), rows, buf_slice(&trailer)};
    if (outcome == OUTCOME_OK) {
        outcome = pg_copy(connection, target->copy, parts, 3, failure);
    }
    for (size_t i = 0; outcome == OUTCOME_OK && i < target->own_count; i++) {
        outcome = pg_run_own(connection, target->own[i], failure);
    }
    if (outcome == OUTCOME_OK) {
        outcome = pg_run(connection, target->after, failure);
    }
    /* A function in the rule's own SQL may run a COPY that fails: its line is not one of our
     * rows. */
    failure->line = 0;
    buf_fini(&header);
    buf_fini(&trailer);
    return outcome;
}

/* One round trip for all statements. All steps are one group: the first that fails makes the server
 * pass over the rest, and its failure is the answer. */
static enum outcome run_statements(struct pg_connection *connection, const struct target *target,
                                   struct slice rows, size_t row_count, struct pg_failure *failure)
{
    struct target_values values;
    struct pg_steps steps = {0};
    enum outcome outcome;

    target_values_init(&values, target, rows, row_count);
    target_add_steps(target, &values, &steps);
    if (target->check != NULL) {
        (void) pg_steps_add(&steps, target->check, NULL, 0, false);
    }
    outcome = pg_steps_run(connection, &steps, failure);
    if (outcome == OUTCOME_OK && pg_steps_failed(&steps) != NULL) {
        const struct pg_step *failed = pg_steps_failed(&steps);

        assert(failed->failure != NULL);
        *failure = *failed->failure;
        if (failed->sql == target->check) {
            target_check_failure(failure);
        }
        outcome = OUTCOME_RETRY;
    }
    pg_steps_fini(&steps);
    target_values_fini(&values);
    return outcome;
}

enum outcome target_run(struct pg_connection *connection, const struct target *target,
                        struct slice rows, size_t row_count, struct pg_failure *failure)
{
    return target->statement_count > 0
               ? run_statements(connection, target, rows, row_count, failure)
               : run_temporary(connection, target, rows, failure);
}
