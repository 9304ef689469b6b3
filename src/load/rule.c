/* SPDX-License-Identifier: MIT */
#include "load/rule.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/memory.h"
#include "base/metrics.h"
#include "base/text.h"
#include "pg/pg_quote.h"

/* Checks only the form of the name. Whether the table exists is known later, from the database. */
static void check_table_name(const struct rule *rule, struct problems *problems)
{
    const struct option_text *table = &rule->options->table;
    struct buf quoted = {0};

    if (table->text != NULL && table->text[0] != '\0' &&
        !pg_quote_relation(&quoted, slice_of(table->text))) {
        problem_error(
            problems, table->place, "table",
            "\"%s\" is not the name of a table: write it as in SQL, like public.telemetry or "
            "\\\"Odd Name\\\"",
            table->text);
    }
    buf_fini(&quoted);
}

static void compile_format(struct rule *rule, struct problems *problems)
{
    rule->format = format_new(&rule->options->format, &rule->options->decoding, problems);
    rule->decoder = rule->format == NULL ? NULL : rule->format->decoder;
    /* A format with state (Sparkplug) has messages without any meaning for a rule, and only the
     * payload shows which. So the payload is decoded even when no column needs it. */
    rule->uses_payload |= rule->decoder != NULL && rule->decoder->learn != NULL;
}

/* A mistake leaves rule->rows NULL. `uses_payload` is set even then, so that no second message
 * blames the columns. */
static void compile_rows(struct rule *rule, struct problems *problems)
{
    const struct option_text *rows = &rule->options->rows;
    struct error error;

    if (rows->text == NULL) {
        return;
    }
    if (row_source_compile(slice_of(rows->text), &rule->rows, &error) != OUTCOME_OK) {
        problem_error(problems, rows->place, "rows", "%s", error.text);
    } else {
        assert(rule->rows != NULL);
        rule->uses.rows = row_source_steps(rule->rows);
        rule->uses.row_levels = (unsigned) row_source_levels(rule->rows);
    }
    rule->uses_payload = true;
}

/*
 * The shape of a column by the rule alone. When the table decides the type, and the expression
 * suggests nothing better than "text", the value is left as it is: `explain` then shows a number as
 * a number.
 */
static void declare_column(struct rule *rule, const char *name, const struct expression *expression)
{
    const char *type = expression_declared_type(expression);
    struct column_shape *column = table_shape_add(rule->declared, slice_of(name));
    bool makes_columns = rule->options->create || rule->options->sql.text != NULL;

    if (type == NULL) {
        type = expression_is_payload(expression) && rule->decoder != NULL
                   ? rule->decoder->payload_type
                   : expression_inferred_type(expression);
        makes_columns |= strcmp(type, "text") != 0;
    } else {
        makes_columns = true;
    }
    (void) type_parse(slice_of(type), column); /* checked when the expression was compiled */
    if (!makes_columns) {
        column->family = TYPE_NONE;
    }
}

/* Compiles every column, so that a person sees all mistakes at once. A column with a mistake stays
 * NULL, and rule_compile() then drops the rule. */
static void compile_columns(struct rule *rule, const struct scope *scope, struct problems *problems)
{
    const struct rule_options *options = rule->options;
    struct error error;

    rule->columns = memory_alloc((options->column_count + 1) * sizeof(struct expression *));
    rule->column_names = memory_alloc((options->column_count + 1) * sizeof(char *));
    for (size_t i = 0; i < options->column_count; i++) {
        const struct option_column *column = &options->columns[i];
        struct expression *expression = NULL;

        rule->column_names[i] = column->name;
        if (expression_compile(slice_of(column->expression), scope, &expression, &error) !=
            OUTCOME_OK) {
            char what[128];
            snprintf(what, sizeof(what), "columns.%s", column->name);
            problem_error(problems, column->place, what, "%s", error.text);
            continue;
        }
        rule->columns[i] = expression;
        rule->uses_payload |= expression_uses_payload(expression);
        declare_column(rule, column->name, expression);
    }
    rule->column_count = options->column_count;
}

/* The type of an SQL expression that ends in "::type"; NULL when it does not. */
static const char *computed_type(const char *expression)
{
    const char *type = NULL;
    for (const char *at = expression; (at = strstr(at, "::")) != NULL; at += 2) {
        type = at + 2;
    }
    struct table_shape *shape = table_shape_new();
    bool known =
        type != NULL &&
        type_parse(slice_of(type), table_shape_add(shape, (struct slice) SLICE_LITERAL("")));
    table_shape_free(shape);
    return known ? type : NULL;
}

/* Takes the type of each computed column from its SQL expression; with create = true a type is
 * required. */
static void compile_compute(struct rule *rule, struct problems *problems)
{
    const struct rule_options *options = rule->options;

    rule->computed_names = memory_alloc((options->compute_count + 1) * sizeof(char *));
    for (size_t i = 0; i < options->compute_count; i++) {
        const struct option_column *column = &options->compute[i];
        const char *type = computed_type(column->expression);

        rule->computed_names[i] = column->name;
        if (options->create && type == NULL) {
            problem_error(problems, column->place, "compute",
                          "create = true needs the type of \"%s\": write like (%.200s)::numeric",
                          column->name, column->expression);
        } else if (options->create) {
            (void) type_parse(slice_of(type),
                              table_shape_add(rule->declared, slice_of(column->name)));
        }
    }
    rule->feed = (struct row_feed){
        .names = rule->column_names,
        .count = rule->column_count,
        .computed = rule->computed_names,
        .computed_count = options->compute_count,
        .declared = rule->declared,
    };
}

/* All conditions of `where` must hold, each compiled by itself. */
static void compile_conditions(struct rule *rule, const struct scope *scope,
                               struct problems *problems)
{
    const struct rule_options *options = rule->options;
    struct error error;

    rule->conditions = memory_alloc((options->where_count + 1) * sizeof(struct condition *));
    for (size_t i = 0; i < options->where_count; i++) {
        const struct option_text *where = &options->where[i];
        struct condition *condition = NULL;

        if (condition_compile(slice_of(where->text), scope, &condition, &error) != OUTCOME_OK) {
            problem_error(problems, where->place, "where", "%s", error.text);
            continue;
        }
        rule->conditions[rule->condition_count++] = condition;
        rule->uses_payload |= condition_uses_payload(condition);
    }
}

/* Exactly two bounds, each a date or a duration. Two dates are compared here; a duration counts
 * from the time when a message was received, so the other pairs can't be. */
static void compile_time_range(struct rule *rule, struct problems *problems)
{
    static const char example[] = "write like (\"2000-01-01\", \"1d\")";
    const struct option_text *texts = rule->options->time_range;
    struct time_bound *bounds[] = {&rule->time_range.earliest, &rule->time_range.latest};
    bool read = true;

    if (rule->options->time_range_count == 0) {
        return;
    }
    if (rule->options->time_range_count != 2) {
        problem_error(problems, texts[0].place, "time_range",
                      "the earliest and the latest time are wanted: %s", example);
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        if (!time_bound_parse(texts[i].text, bounds[i])) {
            problem_error(problems, texts[i].place, "time_range",
                          "\"%s\" is neither a date nor a duration: %s", texts[i].text, example);
            read = false;
        }
    }
    if (read && bounds[0]->kind == BOUND_ABSOLUTE && bounds[1]->kind == BOUND_ABSOLUTE &&
        bounds[0]->us > bounds[1]->us) {
        problem_error(problems, texts[0].place, "time_range",
                      "\"%s\" is later than \"%s\": every time would be rejected", texts[0].text,
                      texts[1].text);
    }
    rule->has_time_range = true;
}

/* Every name in `key` and `newest` must be one of the rule's columns. */
static void check_column_name(const struct rule *rule, const struct option_text *name,
                              const char *what, struct problems *problems)
{
    const char *meant;

    if (name->text == NULL || rule->column_count == 0) {
        return; /* without columns: reported by the configuration */
    }
    for (size_t i = 0; i < rule->column_count; i++) {
        if (strcmp(rule->column_names[i], name->text) == 0) {
            return;
        }
    }
    for (size_t i = 0; i < rule->options->compute_count; i++) {
        if (strcmp(rule->computed_names[i], name->text) == 0) {
            return;
        }
    }
    meant = text_suggest(slice_of(name->text), rule->column_names, rule->column_count,
                         sizeof(rule->column_names[0]));
    problem_error(problems, name->place, what, "\"%s\" is not one of this rule's columns%s%s%s",
                  name->text, meant == NULL ? "" : " (did you mean ", meant == NULL ? "" : meant,
                  meant == NULL ? "" : "?)");
}

/* Can the type be partitioned by ranges of time? For an undeclared type and for a domain the answer
 * is yes here; the catalog decides later. */
static bool is_of_time(const struct column_shape *column)
{
    return !column->array && (column->family == TYPE_NONE || column->family == TYPE_OTHER ||
                              column->family == TYPE_TIMESTAMPTZ ||
                              column->family == TYPE_TIMESTAMP || column->family == TYPE_DATE);
}

/* The column of `partition` must hold times; partitions by a date have whole days. */
static void compile_partition(const struct rule *rule, struct problems *problems)
{
    const struct partition_options *partition = &rule->options->partition;
    const struct column_shape *column;

    check_column_name(rule, &partition->by, "partition.by", problems);
    if (!partition->wanted || partition->by.text == NULL || !rule->options->create) {
        return;
    }
    column = table_shape_find(rule->declared, slice_of(partition->by.text));
    if (column == NULL) {
        return; /* it is no column, or its expression has a mistake: reported already */
    }
    if (!is_of_time(column)) {
        problem_error(problems, partition->by.place, "partition.by",
                      "\"%s\" would be created as %s: its expression needs a time, like $.ts | "
                      "unix_ms, or $.time :: timestamptz",
                      partition->by.text, column->type_name);
    } else if (column->family == TYPE_DATE && partition->every_ms % (INT64_C(86400000)) != 0) {
        problem_error(problems, partition->by.place, "partition.by",
                      "\"%s\" is a date: every must be a number of whole days", partition->by.text);
    }
}

/* Compiles the template for the rule's acknowledgments. Its expressions see the rule's captures and
 * payload, and the result of the message. */
static void compile_ack(struct rule *rule, const struct scope *rule_scope,
                        struct problems *problems)
{
    struct scope scope = *rule_scope;

    if (!rule->options->ack.wanted || rule->options->ack.topic.text == NULL) {
        return; /* without a topic: reported by the configuration */
    }
    scope.row_levels = 0; /* an acknowledgment is about the message, not about one of its rows */
    scope.in_ack = true;
    rule->ack = ack_template_compile(&rule->options->ack, rule->name, &scope, problems);
    if (rule->ack != NULL) {
        rule->uses_payload |= ack_template_uses_payload(rule->ack);
    }
}

/* With its NUL, so that the texts "ab" and "c" differ from "a" and "bc". */
static void add_text(struct buf *texts, const char *text)
{
    buf_append_text(texts, text == NULL ? "" : text);
    buf_append_byte(texts, '\0');
}

static void make_mark(struct rule *rule)
{
    const struct rule_options *options = rule->options;
    struct buf texts = {0};

    add_text(&texts, options->table.text);
    add_text(&texts, options->sql.text);
    add_text(&texts, options->format.text);
    add_text(&texts, options->rows.text);
    for (size_t i = 0; i < options->topic_count; i++) {
        add_text(&texts, options->topics[i].text);
    }
    for (size_t i = 0; i < options->column_count; i++) {
        add_text(&texts, options->columns[i].name);
        add_text(&texts, options->columns[i].expression);
    }
    for (size_t i = 0; i < options->compute_count; i++) {
        add_text(&texts, options->compute[i].name);
        add_text(&texts, options->compute[i].expression);
    }
    for (size_t i = 0; i < options->where_count; i++) {
        add_text(&texts, options->where[i].text);
    }
    snprintf(rule->mark, sizeof(rule->mark), "%016" PRIx64,
             (uint64_t) XXH3_64bits(texts.data, texts.length));
    buf_fini(&texts);
}

/* The order matters: columns need the captures and the levels of `rows`; `key` and `newest` need
 * the columns' names; the acknowledgment needs all of it. */
struct rule *rule_compile(const struct rule_options *options, struct problems *problems)
{
    struct rule *rule = memory_alloc(sizeof(*rule));
    struct scope scope = {.uses = &rule->uses};
    size_t errors = problems->errors;

    rule->options = options;
    rule->share = options->share == NULL ? "" : options->share;
    rule->name = options->name == NULL ? "" : options->name; /* the configuration has said it */
    rule->metrics = -1;
    make_mark(rule);
    rule->declared = table_shape_new();
    rule_topics_compile(&rule->topics, options, problems);
    rule_topics_scope(&rule->topics, &scope);
    check_table_name(rule, problems);
    compile_format(rule, problems);
    compile_rows(rule, problems);
    /* When `rows` has a mistake, count what looks like a level, so that no column is blamed for the
     * mistake in `rows`. */
    scope.row_levels = rule->rows != NULL           ? row_source_levels(rule->rows)
                       : options->rows.text != NULL ? strlen(options->rows.text)
                                                    : 0;
    compile_columns(rule, &scope, problems);
    compile_compute(rule, problems);
    compile_conditions(rule, &scope, problems);
    compile_time_range(rule, problems);
    for (size_t i = 0; i < options->key_count; i++) {
        check_column_name(rule, &options->key[i], "key", problems);
    }
    check_column_name(rule, &options->newest, "newest", problems);
    compile_partition(rule, problems);
    compile_ack(rule, &scope, problems);
    if (problems->errors > errors || rule->topics.count == 0) {
        rule_free(rule);
        return NULL;
    }
    assert(rule->format != NULL && rule->decoder != NULL);
    return rule;
}

void rule_free(struct rule *rule)
{
    if (rule == NULL) {
        return;
    }
    for (size_t i = 0; i < rule->column_count; i++) {
        expression_free(rule->columns[i]);
    }
    for (size_t i = 0; i < rule->condition_count; i++) {
        condition_free(rule->conditions[i]);
    }
    path_uses_fini(&rule->uses);
    free(rule->columns);
    free(rule->column_names);
    free(rule->computed_names);
    free(rule->conditions);
    row_source_free(rule->rows);
    format_free(rule->format);
    ack_template_free(rule->ack);
    rule_topics_fini(&rule->topics);
    table_shape_free(rule->declared);
    free(rule);
}

enum rebirth_policy rule_rebirth(const struct rule *rule)
{
    return rule->decoder->learn == NULL ? REBIRTH_NEVER : rule->options->decoding.sparkplug.rebirth;
}

/* Does the rule feed a column of this name? The name comes from the text of the server's message,
 * which depends on lc_messages: in another language the word at that place may be no column. */
static bool feeds(const struct rule *rule, const char *column)
{
    for (size_t i = 0; i < rule->column_count; i++) {
        if (strcmp(rule->column_names[i], column) == 0) {
            return true;
        }
    }
    return false;
}

void rule_refusal(const struct rule *rule, const struct pg_failure *failure, char *reason,
                  size_t size)
{
    assert(size > 0);
    if (feeds(rule, failure->column)) {
        snprintf(reason, size, "rule \"%s\": column \"%s\": %s", rule->name, failure->column,
                 failure->message);
    } else {
        snprintf(reason, size, "rule \"%s\": %s", rule->name, failure->message);
    }
}
