/* SPDX-License-Identifier: MIT */
#include "load/rehearsal.h"

#include <assert.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/text.h"
#include "pg/target.h"
#include "row/copy_format.h"
#include "row/row_plan.h"
#include "sql_text.h"

/* The service may be storing into the same table: waits for its locks, but not for long. */
static const char begin_sql[] = "begin; set local lock_timeout = '5s'";

/* One rule's table, and the target that rows are sent to. */
struct attempt {
    const struct rehearsal_stage *stage;
    const struct rule *rule;
    struct pg_table *table;
    struct row_plan *plan;
    struct target *target;
    bool returning;
};

void rehearsal_fini(struct rehearsal *rehearsal)
{
    buf_fini(&rehearsal->rows);
    buf_fini(&rehearsal->tables);
}

/* Ends the row that begins at `start`. Replaces its line breaks by spaces: a json column keeps the
 * line breaks of the payload, and outside of JSON strings a space has the same meaning. */
static void end_row(struct buf *out, size_t start)
{
    assert(start <= out->length);
    for (size_t i = start; i < out->length; i++) {
        if (out->data[i] == '\n' || out->data[i] == '\r') {
            out->data[i] = ' ';
        }
    }
    buf_append_byte(out, '\n');
}

void rehearsal_append_rows(struct buf *out, const struct mapped *mapped,
                           const struct column_shape *const *columns)
{
    const struct rule *rule = mapped->rule;

    for (size_t row = 0; row < mapped->rows; row++) {
        size_t start = out->length;
        buf_append_text(out, "{");
        for (size_t i = 0; i < rule->column_count; i++) {
            buf_append_text(out, i > 0 ? "," : "");
            text_append_json(out, slice_of(rule->column_names[i]));
            buf_append_text(out, ":");
            datum_append_json(out, &mapped->datums[row * rule->column_count + i], columns[i]);
        }
        buf_append_text(out, "}");
        end_row(out, start);
    }
}

/* Turns the server's refusal into the message's fate. OUTCOME_RETRY when the refusal is neither
 * about the message nor about the table. */
static enum outcome take_failure(struct rehearsal *rehearsal, const struct rule *rule,
                                 const struct pg_failure *failure)
{
    if (failure->action != SQL_ROW && failure->action != SQL_RULE) {
        return OUTCOME_RETRY;
    }
    rehearsal->fate = failure->action == SQL_ROW ? REHEARSAL_REJECTED : REHEARSAL_PARKED;
    if (failure->action == SQL_ROW) {
        rule_refusal(rule, failure, rehearsal->reason, sizeof(rehearsal->reason));
    } else {
        snprintf(rehearsal->reason, sizeof(rehearsal->reason), "%s", failure->message);
    }
    snprintf(rehearsal->sqlstate, sizeof(rehearsal->sqlstate), "%s", failure->sqlstate);
    snprintf(rehearsal->constraint, sizeof(rehearsal->constraint), "%s", failure->constraint);
    return OUTCOME_OK;
}

/* The service would park the rule for this reason. */
static void park(struct rehearsal *rehearsal, const char *reason)
{
    rehearsal->fate = REHEARSAL_PARKED;
    snprintf(rehearsal->reason, sizeof(rehearsal->reason), "%s", reason);
}

static enum outcome read_table(struct attempt *attempt, struct pg_failure *failure)
{
    pg_table_free(attempt->table);
    attempt->table = NULL;
    return pg_catalog_table(attempt->stage->connection,
                            slice_of(attempt->rule->options->table.text), &attempt->table, failure);
}

static bool plan_rows(struct attempt *attempt, const struct table_shape *shape, struct error *error)
{
    return row_plan_make(shape, &attempt->rule->feed, &attempt->plan, error) == OUTCOME_OK;
}

/* The table as the service would find or make it. */
static enum outcome find_table(struct attempt *attempt, struct rehearsal *rehearsal,
                               struct pg_failure *failure)
{
    const struct rule *rule = attempt->rule;
    struct buf sql = {0};
    struct error error;
    enum outcome outcome = read_table(attempt, failure);

    if (outcome == OUTCOME_OK && attempt->table != NULL &&
        plan_rows(attempt, attempt->table->shape, &error)) {
        return OUTCOME_OK;
    }
    if (outcome == OUTCOME_OK && rule->options->create) {
        target_create_sql(&sql, rule->options, rule->declared);
        outcome = pg_run(attempt->stage->connection, buf_string(&sql), failure);
        outcome = outcome == OUTCOME_OK ? read_table(attempt, failure) : outcome;
        buf_fini(&sql);
    }
    if (outcome != OUTCOME_OK) {
        return take_failure(rehearsal, attempt->rule, failure);
    }
    if (attempt->table == NULL) {
        struct buf reason = {0};

        buf_printf(&reason, "table \"%.200s\" does not exist", rule->options->table.text);
        pg_catalog_suggest(attempt->stage->connection, rule->options->table.text, &reason);
        park(rehearsal, buf_string(&reason));
        buf_fini(&reason);
    } else if (!plan_rows(attempt, attempt->table->shape, &error)) {
        park(rehearsal, error.text);
    }
    return OUTCOME_OK;
}

/* Rows can be returned only when the role may read the table, and never by a rule's own `sql`. */
static void choose_target(struct attempt *attempt)
{
    const struct rule_options *options = attempt->rule->options;

    assert(attempt->target == NULL);
    attempt->returning = attempt->table != NULL && attempt->table->can_select;
    attempt->target = attempt->returning
                          ? target_rehearsal_new(options, attempt->table, attempt->plan)
                          : target_new(options, attempt->table, attempt->plan);
}

static void append_rows(struct buf *out, const struct mapped *mapped, const struct row_plan *plan)
{
    for (size_t i = 0; i < mapped->rows; i++) {
        copy_append_row(out, plan->format, mapped->datums + i * plan->count, plan->columns,
                        plan->count);
    }
}

/* The rows go into the temporary table by COPY, and from there into the rule's table by an INSERT
 * that returns them as stored: with defaults, generated columns and what triggers have changed. */
static enum outcome insert_returning(const struct attempt *attempt, struct slice stored,
                                     struct rehearsal *rehearsal, struct pg_failure *failure)
{
    struct pg_connection *connection = attempt->stage->connection;
    struct pg_rows *rows = NULL;
    struct buf header = {0}, trailer = {0};
    enum outcome outcome = pg_run(connection, attempt->target->before, failure);

    copy_append_header(&header, attempt->plan->format);
    copy_append_trailer(&trailer, attempt->plan->format);
    const struct slice parts[] = {buf_slice(&header), stored, buf_slice(&trailer)};
    if (outcome == OUTCOME_OK) {
        outcome = pg_copy(connection, attempt->target->copy, parts, 3, failure);
    }
    buf_fini(&header);
    buf_fini(&trailer);
    if (outcome == OUTCOME_OK) {
        outcome = pg_query(connection, attempt->target->after, PG_NO_PARAMS, &rows, failure);
    }
    for (int i = 0; rows != NULL && i < pg_rows_count(rows); i++) {
        size_t start = rehearsal->rows.length;
        buf_append_slice(&rehearsal->rows, pg_rows_slice(rows, i, 0));
        end_row(&rehearsal->rows, start);
    }
    pg_rows_free(rows);
    return outcome;
}

/* The rows that this transaction has written to one table, 1000 at most. A row's xmin is the
 * number of the transaction that wrote it, without the epoch that txid_current() has in its upper
 * 32 bits. */
static enum outcome append_written(const struct attempt *attempt, const char *table,
                                   struct rehearsal *rehearsal, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    struct buf sql = {0};

    buf_printf(&sql,
               "select row_to_json(written.*)::text from only %s as written "
               "where written.xmin::text::bigint = txid_current() %% 4294967296 limit 1000",
               table);
    enum outcome outcome =
        pg_query(attempt->stage->connection, buf_string(&sql), PG_NO_PARAMS, &rows, failure);
    for (int i = 0; outcome == OUTCOME_OK && i < pg_rows_count(rows); i++) {
        size_t start = rehearsal->rows.length;
        buf_append_slice(&rehearsal->rows, pg_rows_slice(rows, i, 0));
        end_row(&rehearsal->rows, start);
        buf_printf(&rehearsal->tables, "%s\n", table);
    }
    pg_rows_free(rows);
    buf_fini(&sql);
    return outcome;
}

/* Reads the rows that the rule's own statements have written. */
static enum outcome read_written(const struct attempt *attempt, struct rehearsal *rehearsal,
                                 struct pg_failure *failure)
{
    struct pg_rows *tables = NULL;
    enum outcome outcome =
        pg_query(attempt->stage->connection, sql_rehearsal_written, PG_NO_PARAMS, &tables, failure);

    rehearsal->returned = outcome == OUTCOME_OK && pg_rows_count(tables) > 0;
    for (int i = 0; outcome == OUTCOME_OK && i < pg_rows_count(tables); i++) {
        if (slice_is(pg_rows_slice(tables, i, 1), "t")) {
            rehearsal->returned = false;
        } else {
            outcome = append_written(attempt, pg_rows_text(tables, i, 0), rehearsal, failure);
        }
    }
    if (!rehearsal->returned) {
        buf_reset(&rehearsal->rows);
        buf_reset(&rehearsal->tables);
    }
    pg_rows_free(tables);
    return outcome;
}

/* Sends the rows, then checks deferred constraints, which a ROLLBACK would skip. */
static enum outcome store(const struct attempt *attempt, const struct mapped *mapped,
                          struct rehearsal *rehearsal, struct pg_failure *failure)
{
    struct pg_connection *connection = attempt->stage->connection;
    struct buf rows = {0};
    enum outcome outcome;

    append_rows(&rows, mapped, attempt->plan);
    rehearsal->returned = attempt->returning;
    outcome = attempt->returning ? insert_returning(attempt, buf_slice(&rows), rehearsal, failure)
                                 : target_run(connection, attempt->target, buf_slice(&rows),
                                              mapped->rows, failure);
    buf_fini(&rows);
    if (outcome == OUTCOME_OK) {
        /* This also runs deferred triggers of other tables. */
        outcome = pg_run(connection, "set constraints all immediate", failure);
    }
    if (outcome == OUTCOME_OK && attempt->rule->options->sql.text != NULL) {
        outcome = read_written(attempt, rehearsal, failure);
    }
    if (outcome != OUTCOME_OK) {
        buf_reset(&rehearsal->rows);
        buf_reset(&rehearsal->tables);
        return take_failure(rehearsal, attempt->rule, failure);
    }
    if (!rehearsal->returned) {
        rehearsal_append_rows(&rehearsal->rows, mapped, attempt->plan->columns);
    }
    return OUTCOME_OK;
}

/* Maps for the columns that the table has now. Afterwards the caller sets the mapper's declared
 * columns again. */
static enum outcome map_and_store(struct attempt *attempt, unsigned rule_index,
                                  const struct message *message, struct rehearsal *rehearsal,
                                  struct pg_failure *failure)
{
    const struct mapped *mapped;

    mapper_set_columns(attempt->stage->mapper, rule_index, attempt->plan->columns);
    if (!mapper_map_rule(attempt->stage->mapper, rule_index, message, &mapped) ||
        mapped->verdict == VERDICT_FILTERED) {
        rehearsal->fate = REHEARSAL_FILTERED;
        return OUTCOME_OK;
    }
    if (mapped->verdict == VERDICT_REJECTED) {
        rehearsal->fate = REHEARSAL_REJECTED;
        snprintf(rehearsal->reason, sizeof(rehearsal->reason), "%s", mapped->reason);
        return OUTCOME_OK;
    }
    rehearsal->sent = mapped->rows;
    if (mapped->rows == 0) {
        return OUTCOME_OK;
    }
    choose_target(attempt);
    return store(attempt, mapped, rehearsal, failure);
}

enum outcome rehearse(const struct rehearsal_stage *stage, unsigned rule_index,
                      const struct message *message, struct rehearsal *rehearsal,
                      struct pg_failure *failure)
{
    struct attempt attempt = {.stage = stage, .rule = stage->ruleset->rules[rule_index]};
    struct pg_failure ignored;
    struct error error;
    enum outcome outcome = pg_run(stage->connection, begin_sql, failure);

    assert(rule_index < stage->ruleset->count);
    if (outcome == OUTCOME_OK && attempt.rule->options->sql.text == NULL) {
        outcome = find_table(&attempt, rehearsal, failure);
    } else if (outcome == OUTCOME_OK && !plan_rows(&attempt, attempt.rule->declared, &error)) {
        park(rehearsal, error.text);
    }
    if (outcome == OUTCOME_OK && rehearsal->fate == REHEARSAL_STORED) {
        outcome = map_and_store(&attempt, rule_index, message, rehearsal, failure);
    }
    if (pg_is_connected(stage->connection) &&
        pg_run(stage->connection, "rollback", &ignored) != OUTCOME_OK) {
        pg_disconnect(stage->connection);
    }
    mapper_set_columns(stage->mapper, rule_index, NULL);
    target_free(attempt.target);
    row_plan_free(attempt.plan);
    pg_table_free(attempt.table);
    return outcome;
}
