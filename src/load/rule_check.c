/* SPDX-License-Identifier: MIT */
#include "load/rule_check.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "load/partition_check.h"
#include "load/statement_blame.h"
#include "pg/pg_catalog.h"
#include "pg/pg_quote.h"
#include "pg/target.h"
#include "row/convert.h"
#include "row/copy_format.h"

static struct place place_of_table(const struct rule *rule)
{
    return rule->options->table.text == NULL ? rule->options->place : rule->options->table.place;
}

/* INSERT … ON CONFLICT DO UPDATE reads the existing row, so it needs SELECT besides UPDATE (see
 * "INSERT" in PostgreSQL's manual). */
static void check_privileges(const struct rule *rule, const struct pg_table *table,
                             struct problems *problems)
{
    const char *name = rule->options->table.text;
    bool upsert = rule->options->on_conflict == CONFLICT_UPDATE;

    if (!table->can_insert) {
        problem_error(problems, place_of_table(rule), "table",
                      "no permission to insert into \"%s\": grant insert on it to this role", name);
    }
    if (upsert && (!table->can_update || !table->can_select)) {
        problem_error(problems, place_of_table(rule), "table",
                      "on_conflict = \"update\" needs a grant of select and update on \"%s\"",
                      name);
    }
}

/* Classes of types: a declared type of the same class as the column's does no harm. */
enum type_class {
    /* texts and documents, which take everything, and types that the bridge does not know */
    CLASS_ANY,
    CLASS_NUMBER,
    CLASS_MOMENT,
    CLASS_TIME,
    CLASS_INTERVAL,
    CLASS_BOOLEAN,
    CLASS_BYTES,
    CLASS_UUID,
    CLASS_ADDRESS,
};

static const enum type_class classes[] = {
    [TYPE_BOOL] = CLASS_BOOLEAN,      [TYPE_INT2] = CLASS_NUMBER,
    [TYPE_INT4] = CLASS_NUMBER,       [TYPE_INT8] = CLASS_NUMBER,
    [TYPE_FLOAT4] = CLASS_NUMBER,     [TYPE_FLOAT8] = CLASS_NUMBER,
    [TYPE_NUMERIC] = CLASS_NUMBER,    [TYPE_BYTEA] = CLASS_BYTES,
    [TYPE_UUID] = CLASS_UUID,         [TYPE_DATE] = CLASS_MOMENT,
    [TYPE_TIME] = CLASS_TIME,         [TYPE_TIMESTAMP] = CLASS_MOMENT,
    [TYPE_INET] = CLASS_ADDRESS,      [TYPE_TIMESTAMPTZ] = CLASS_MOMENT,
    [TYPE_INTERVAL] = CLASS_INTERVAL, [TYPE_OTHER] = CLASS_ANY,
};

/* The type that the i-th column would have if the rule made the table. */
static const char *type_wanted(const struct rule *rule, size_t i)
{
    const char *declared = expression_declared_type(rule->columns[i]);

    assert(i < rule->column_count);
    if (declared != NULL) {
        return declared;
    }
    return expression_is_payload(rule->columns[i]) ? rule->decoder->payload_type
                                                   : expression_inferred_type(rule->columns[i]);
}

/* Writes to `out` the statement that adds column i, or gives it the wanted type when the column
 * exists (`there`). Existing values may need another "using". */
static const char *alter_sql(const struct rule *rule, size_t i, bool there, struct buf *out)
{
    const char *type = type_wanted(rule, i);

    buf_printf(out, "alter table %s ", rule->options->table.text);
    buf_append_text(out, there ? "alter column " : "add column ");
    pg_quote_identifier(out, slice_of(rule->column_names[i]));
    buf_printf(out, there ? " type %s using null" : " %s", type);
    return buf_string(out);
}

/* Compares "::type" with the column's type. "::int" for a bigint column is a warning, because the
 * column decides. "::text" or "::timestamptz" for a bigint column is an error, because one of the
 * two must be a mistake; then returns false. */
static bool check_declared_type(const struct rule *rule, size_t i,
                                const struct column_shape *column, struct problems *problems)
{
    const struct column_shape *declared = &rule->declared->columns[i];
    struct place place = rule->options->columns[i].place;
    enum type_class class = classes[column->family];

    assert(i < rule->column_count && (size_t) column->family <= TYPE_OTHER);
    if (expression_declared_type(rule->columns[i]) == NULL ||
        strcmp(declared->type_name, column->type_name) == 0) {
        return true;
    }
    if (declared->family != TYPE_OTHER && class != CLASS_ANY &&
        (class != classes[declared->family] || column->array != declared->array)) {
        struct buf sql = {0};

        problem_error(problems, place, "columns",
                      "column \"%s\" is %s, not %s as declared behind \"::\": change one of them; "
                      "for an empty column: %s",
                      column->name, column->type_name, declared->type_name,
                      alter_sql(rule, i, true, &sql));
        buf_fini(&sql);
        return false;
    }
    problem_warning(problems, place, column->name,
                    "declared as %s, but the column is %s: the column decides", declared->type_name,
                    column->type_name);
    return true;
}

/* Makes a value of the kind that the expression always gives; false when the kind depends on the
 * message. */
static bool example_of(const struct rule *rule, size_t i, struct value *value)
{
    const struct expression *expression = rule->columns[i];
    const char *type = expression_is_payload(expression) ? rule->decoder->payload_type
                                                         : expression_inferred_type(expression);

    if (expression_is_constant(expression, value)) {
        return value->kind != VALUE_NULL;
    }
    if (strcmp(type, "timestamptz") == 0) {
        *value = (struct value){.kind = VALUE_TIME};
    } else if (strcmp(type, "boolean") == 0) {
        *value = value_boolean(true);
    } else if (strcmp(type, "bytea") == 0) {
        *value = value_bytes(slice_of("0"));
    } else if (strcmp(type, "smallint") == 0 || strcmp(type, "bigint") == 0 ||
               strcmp(type, "numeric") == 0) {
        *value = value_number(slice_of("0"));
    } else {
        return false;
    }
    return true;
}

/* Reports an expression whose values can never become the column's, such as a time for a number: no
 * message would ever be stored. */
static void check_kind(const struct rule *rule, size_t i, const struct column_shape *column,
                       struct problems *problems)
{
    struct arena *arena = arena_new(1024);
    struct value value;
    struct datum datum;
    struct error error;

    bool is_json = column->family == TYPE_JSON || column->family == TYPE_JSONB;
    if (example_of(rule, i, &value) && !(value.kind == VALUE_BYTES && is_json) &&
        convert_value(&value, column, arena, &datum, &error) != OUTCOME_OK) {
        if (expression_is_constant(rule->columns[i], NULL)) {
            problem_error(problems, rule->options->columns[i].place, "columns", "%s", error.text);
        } else {
            struct buf sql = {0};

            problem_error(problems, rule->options->columns[i].place, "columns",
                          "column \"%s\" is %s, which no %s can become: change the expression; for "
                          "an empty column: %s",
                          column->name, column->type_name, value_kind_name(value.kind),
                          alter_sql(rule, i, true, &sql));
            buf_fini(&sql);
        }
    }
    arena_free(arena);
}

/* The i-th column against the table's column of that name. */
static void check_column(const struct rule *rule, size_t i, const struct table_shape *shape,
                         struct problems *problems)
{
    const char *name = rule->column_names[i];
    const struct column_shape *column = table_shape_find(shape, slice_of(name));
    struct place place = rule->options->columns[i].place;
    struct value constant;
    const char *meant;

    if (column == NULL && rule->options->create) {
        return; /* the bridge adds the column */
    }
    if (column == NULL && rule->options->compute_count > 0 &&
        expression_declared_type(rule->columns[i]) != NULL) {
        return; /* only compute uses the value */
    }
    if (column == NULL) {
        meant = shape->count == 0
                    ? NULL
                    : text_suggest(slice_of(name), (const char *const *) &shape->columns[0].name,
                                   shape->count, sizeof(shape->columns[0]));
        struct buf sql = {0};

        problem_error(
            problems, place, "columns", "table \"%s\" has no column \"%s\"%s%s%s; to add it: %s%s",
            rule->options->table.text, name, meant == NULL ? "" : " (did you mean ",
            meant == NULL ? "" : meant, meant == NULL ? "" : "?)", alter_sql(rule, i, false, &sql),
            rule->options->compute_count == 0 ? ""
                                              : "; to use it in compute only, end it with ::TYPE");
        buf_fini(&sql);
        return;
    }
    if (column->denied && !column->generated) {
        problem_error(
            problems, place, "columns",
            "no permission to insert into column \"%s\" of \"%s\": grant insert (%s) on it "
            "to this role",
            name, rule->options->table.text, name);
    }
    if (column->generated) {
        problem_error(problems, place, "columns",
                      "column \"%s\" is generated by the database: leave it out", name);
    }
    if (column->not_null && expression_is_constant(rule->columns[i], &constant) &&
        constant.kind == VALUE_NULL) {
        problem_error(problems, place, "columns",
                      "column \"%s\" is not null, and this expression is always null", name);
    }
    if (check_declared_type(rule, i, column, problems)) {
        check_kind(rule, i, column, problems);
    }
}

/* Checks computed column i. Its expression is checked by PostgreSQL, in try_statements(). */
static void check_computed(const struct rule *rule, size_t i, const struct table_shape *shape,
                           struct problems *problems)
{
    const char *name = rule->computed_names[i];
    const struct column_shape *column = table_shape_find(shape, slice_of(name));
    struct place place = rule->options->compute[i].place;

    assert(i < rule->options->compute_count);
    if (column == NULL && !rule->options->create) {
        problem_error(problems, place, "compute", "table \"%s\" has no column \"%s\"",
                      rule->options->table.text, name);
    } else if (column != NULL && column->generated) {
        problem_error(problems, place, "compute",
                      "column \"%s\" is generated by the database: leave it out", name);
    }
}

static bool rule_feeds(const struct rule *rule, const char *column)
{
    for (size_t i = 0; i < rule->options->compute_count; i++) {
        if (strcmp(rule->computed_names[i], column) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < rule->column_count; i++) {
        if (strcmp(rule->column_names[i], column) == 0) {
            return true;
        }
    }
    return false;
}

/* Checks both directions: the table must have each column that the rule feeds, and the rule must
 * feed each column that needs a value. */
static void check_columns(const struct rule *rule, const struct table_shape *shape,
                          struct problems *problems)
{
    for (size_t i = 0; i < rule->column_count; i++) {
        check_column(rule, i, shape, problems);
    }
    for (size_t i = 0; i < rule->options->compute_count; i++) {
        check_computed(rule, i, shape, problems);
    }
    for (size_t i = 0; i < shape->count; i++) {
        const struct column_shape *column = &shape->columns[i];

        if (column->not_null && !column->has_default && !column->generated &&
            !rule_feeds(rule, column->name)) {
            problem_error(problems, place_of_table(rule), "columns",
                          "column \"%s\" of \"%s\" is not null and has no default: give it an "
                          "expression",
                          column->name, rule->options->table.text);
        }
        if (column->denied_sequence != NULL && !rule_feeds(rule, column->name)) {
            problem_error(problems, place_of_table(rule), "table",
                          "no permission to use the sequence %s, from which column \"%s\" has its "
                          "default: grant usage on it to this role",
                          column->denied_sequence, column->name);
        }
    }
}

bool rule_check_lacks_sequence(const struct rule *rule, const struct table_shape *shape)
{
    for (size_t i = 0; i < shape->count; i++) {
        const struct column_shape *column = &shape->columns[i];

        if (column->denied_sequence != NULL && !rule_feeds(rule, column->name)) {
            return true;
        }
    }
    return false;
}

/* ON CONFLICT (key) needs a unique index over exactly these columns; without one each INSERT
 * fails. */
static enum outcome check_conflict(const struct rule *rule, struct pg_connection *connection,
                                   const struct pg_table *table, struct problems *problems,
                                   struct pg_failure *failure)
{
    const struct rule_options *options = rule->options;
    const char **key;
    struct buf names = {0};
    bool found = false;
    enum outcome outcome;

    if (options->on_conflict == CONFLICT_ERROR || options->key_count == 0) {
        return OUTCOME_OK;
    }
    key = memory_alloc(options->key_count * sizeof(*key));
    for (size_t i = 0; i < options->key_count; i++) {
        key[i] = options->key[i].text;
        buf_printf(&names, "%s%s", i == 0 ? "" : ", ", key[i]);
    }
    outcome = pg_catalog_unique(
        connection, &(struct pg_key){.table = table, .columns = key, .count = options->key_count},
        &found, failure);
    if (outcome == OUTCOME_OK && !found) {
        problem_error(problems, options->key[0].place, "key",
                      "on_conflict needs a unique index on (%s): create unique index on %s (%s)",
                      buf_string(&names), options->table.text, buf_string(&names));
    }
    buf_fini(&names);
    free(key);
    return outcome;
}

/* Warns of a name that is too long: PostgreSQL would cut it, and find or make another table. */
static void check_name(const struct rule *rule, struct problems *problems)
{
    struct slice text = slice_of(rule->options->table.text);
    struct buf name = {0};

    if (pg_take_relation(&text, &name) && name.length > PG_IDENTIFIER_MAX) {
        problem_error(problems, place_of_table(rule), "table",
                      "the name has %zu bytes, and PostgreSQL keeps %d: shorten it", name.length,
                      PG_IDENTIFIER_MAX);
    }
    buf_fini(&name);
}

/* Can the relation take rows? An index, a sequence or a materialized view can't. */
static bool takes_rows(const struct pg_table *table)
{
    return strchr("rpvf", table->shape->kind) != NULL;
}

/* Runs all statements that the service runs for a batch, with no rows. */
static enum outcome run_empty_batch(struct pg_connection *connection, const struct target *target,
                                    struct pg_failure *failure)
{
    const struct slice none = {.data = ""};

    return target_run(connection, target, none, 0, failure);
}

/* Runs the rule's statements over an empty batch, in the transaction that is open. */
static enum outcome run_statements(const struct rule *rule, struct pg_connection *connection,
                                   const struct pg_table *table, struct pg_failure *failure)
{
    const struct table_shape *shape = table == NULL ? rule->declared : table->shape;
    struct row_plan *plan = NULL;
    struct error error;

    assert((table == NULL) == (rule->options->sql.text != NULL));
    if (row_plan_make(shape, &rule->feed, &plan, &error) != OUTCOME_OK) {
        return OUTCOME_OK; /* create = true will add the missing columns */
    }
    struct target *target = target_new(rule->options, table, plan);
    enum outcome outcome = run_empty_batch(connection, target, failure);
    target_free(target);
    row_plan_free(plan);
    return outcome;
}

/* Rolls a trial back. True: PostgreSQL refused what was tried, and is still connected. */
static bool was_refused(struct pg_connection *connection, enum outcome outcome)
{
    struct pg_failure rollback;

    return pg_is_connected(connection) && pg_run(connection, "rollback", &rollback) == OUTCOME_OK &&
           outcome != OUTCOME_OK;
}

/* Finds mistakes that only PostgreSQL sees: views without triggers, foreign tables that take no
 * rows, an odd ON CONFLICT, mistakes in the rule's own SQL. Runs the rule's statements over an
 * empty batch in a transaction that is rolled back. */
static enum outcome try_statements(const struct rule *rule, struct pg_connection *connection,
                                   const struct pg_table *table, struct problems *problems,
                                   struct pg_failure *failure)
{
    enum outcome outcome = pg_run(connection, "begin", failure);

    if (outcome == OUTCOME_OK) {
        outcome = run_statements(rule, connection, table, failure);
    }
    if (was_refused(connection, outcome)) {
        statement_blame(rule, failure, problems);
        outcome = OUTCOME_OK;
    }
    return outcome;
}

/* Makes the table that the service will make, in a transaction that is rolled back, and runs the
 * rule's statements with it. Finds an unknown type, a missing or denied schema, a mistake in an
 * expression of compute. */
static enum outcome try_create(const struct rule *rule, struct pg_connection *connection,
                               struct problems *problems, struct pg_failure *failure)
{
    struct pg_table *table = NULL;
    struct buf sql = {0};

    assert(rule->options->create);
    target_create_sql(&sql, rule->options, rule->declared);
    enum outcome outcome = pg_run(connection, "begin", failure);
    if (outcome == OUTCOME_OK) {
        outcome = pg_run(connection, buf_string(&sql), failure);
    }
    if (outcome == OUTCOME_OK) {
        outcome =
            pg_catalog_table(connection, slice_of(rule->options->table.text), &table, failure);
    }
    if (table != NULL) {
        outcome = run_statements(rule, connection, table, failure);
    }
    if (was_refused(connection, outcome)) {
        if (table == NULL) {
            problem_error(problems, place_of_table(rule), "create", "%s", failure->message);
        } else {
            statement_blame(rule, failure, problems);
        }
        outcome = OUTCOME_OK;
    }
    pg_table_free(table);
    buf_fini(&sql);
    return outcome;
}

enum outcome rule_check(const struct rule *rule, struct pg_connection *connection,
                        struct problems *problems, struct pg_failure *failure)
{
    struct pg_table *table = NULL;
    size_t errors = problems->errors;
    enum outcome outcome;

    if (rule->options->sql.text != NULL) {
        return try_statements(rule, connection, NULL, problems, failure);
    }
    check_name(rule, problems);
    outcome = pg_catalog_table(connection, slice_of(rule->options->table.text), &table, failure);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (table == NULL) {
        if (rule->options->create) {
            return try_create(rule, connection, problems, failure);
        }
        struct buf hint = {0};

        pg_catalog_suggest(connection, rule->options->table.text, &hint);
        problem_error(problems, place_of_table(rule), "table",
                      "table \"%s\" does not exist%s: create it, or set create = true",
                      rule->options->table.text, buf_string(&hint));
        buf_fini(&hint);
        return OUTCOME_OK;
    }
    if (!takes_rows(table)) {
        problem_error(problems, place_of_table(rule), "table",
                      "\"%s\" is neither table nor view and takes no rows", table->shape->name);
        pg_table_free(table);
        return OUTCOME_OK;
    }
    check_privileges(rule, table, problems);
    check_columns(rule, table->shape, problems);
    outcome = check_conflict(rule, connection, table, problems, failure);
    if (outcome == OUTCOME_OK) {
        outcome = partition_check(rule, connection, table, problems, failure);
    }
    if (outcome == OUTCOME_OK && problems->errors == errors) {
        outcome = try_statements(rule, connection, table, problems, failure);
    }
    pg_table_free(table);
    return outcome;
}
