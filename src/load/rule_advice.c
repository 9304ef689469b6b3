/* SPDX-License-Identifier: MIT */
#include "load/rule_advice.h"

#include <assert.h>
#include <stdio.h>
#include <strings.h>

#include "base/text.h"

/* Microseconds since 1970. A time before 1990 is a mistake: seconds such as 1700000000 that were
 * taken for milliseconds, or a wrong clock. */
#define YEAR_1990_US (INT64_C(631152000) * 1000000)

/* --- columns ---------------------------------------------------------------------------------- */

static const char *const mqtt5_facts[] = {
    "property", "response_topic", "correlation_data", "content_type", "message_expiry",
};

/* Does the expression need a fact that only MQTT 5 messages have, a property? */
static bool needs_mqtt5(const struct expression *expression)
{
    const char *fact = expression_fact_name(expression);
    for (size_t i = 0; fact != NULL && i < sizeof(mqtt5_facts) / sizeof(mqtt5_facts[0]); i++) {
        if (strcmp(mqtt5_facts[i], fact) == 0) {
            return true;
        }
    }
    return false;
}

/* Names of types in other languages, and PostgreSQL's. */
static const char *const foreign_types[][2] = {
    {"datetime", "timestamptz"}, {"string", "text"},    {"double", "double precision"},
    {"long", "bigint"},          {"int64", "bigint"},   {"uint64", "numeric"},
    {"int32", "integer"},        {"uint32", "bigint"},  {"int16", "smallint"},
    {"number", "numeric"},       {"blob", "bytea"},     {"binary", "bytea"},
    {"tinyint", "smallint"},     {"float64", "float8"}, {"float32", "float4"},
    {"object", "jsonb"},         {"array", "jsonb"},    {"map", "jsonb"},
};

/* Warns of a type that only other languages have. It is no error: a person may have made a type or
 * domain of that name. */
static void advise_type(const char *type, struct place place, const char *what,
                        struct problems *problems)
{
    for (size_t i = 0; i < sizeof(foreign_types) / sizeof(foreign_types[0]); i++) {
        if (type != NULL && strcasecmp(type, foreign_types[i][0]) == 0) {
            problem_warning(problems, place, what,
                            "PostgreSQL itself has no type \"%s\": is %s meant?", type,
                            foreign_types[i][1]);
        }
    }
}

/* Warns of columns that compile but can't be meant that way. */
static void advise_column(const struct rule *rule, size_t i, bool mqtt5, struct problems *problems)
{
    const struct expression *expression = rule->columns[i];
    struct place place = rule->options->columns[i].place;
    struct value constant;
    char what[128];

    assert(i < rule->column_count && expression != NULL);
    snprintf(what, sizeof(what), "columns.%.100s", rule->column_names[i]);
    if (!rule->decoder->has_members) {
        if (expression_is_member(expression)) {
            problem_warning(
                problems, place, what,
                "finds nothing: a payload of format \"%s\" has no members; the whole of "
                "it is \"$\"",
                rule->decoder->name);
        }
    }
    if (rule->decoder->is_rows && rule->rows == NULL && expression_is_named_member(expression)) {
        problem_warning(problems, place, what,
                        "finds nothing: a payload of format \"%s\" is an array of lines; "
                        "rows = \"$[*]\"; makes a row of each line",
                        rule->decoder->name);
    }
    if (expression_is_constant(expression, &constant) && constant.kind == VALUE_NULL) {
        problem_warning(problems, place, what,
                        "always null: a column that is left out gets its "
                        "default");
    }
    if (expression_is_constant(expression, &constant) && constant.kind == VALUE_TIME &&
        constant.time_us < YEAR_1990_US) {
        problem_warning(problems, place, what,
                        "always a time before 1990: are its units right (unix_s, unix_ms, …)?");
    }
    bool in_batch = rule->options->sql.text != NULL;
    if ((rule->options->create || in_batch) && expression_is_bare_member(expression)) {
        problem_warning(problems, place, what,
                        "%s text, for nothing says its type: write like %s :: double "
                        "precision, or :: text",
                        in_batch ? "is in batch as" : "created as",
                        rule->options->columns[i].expression);
    }
    if (!mqtt5 && needs_mqtt5(expression)) {
        problem_warning(problems, place, what,
                        "finds nothing: @%s comes with MQTT 5 only, and "
                        "broker.protocol is \"3.1.1\"",
                        expression_fact_name(expression));
    }
    advise_type(expression_declared_type(expression), place, what, problems);
}

/* Warns of `rows` when all rows of a message would be the same. */
static void advise_rows(const struct rule *rule, struct problems *problems)
{
    for (size_t i = 0; i < rule->column_count; i++) {
        if (expression_varies_by_row(rule->columns[i])) {
            return;
        }
    }
    if (rule->rows != NULL) {
        problem_warning(problems, rule->options->rows.place, "rows",
                        "all rows of a message would be the same: no column looks at its row "
                        "($ or @key)");
    }
}

/* --- where ------------------------------------------------------------------------------------ */

/* Warns of conditions that never hold, alone or two together. */
static void advise_conditions(const struct rule *rule, struct problems *problems)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        const struct option_text *where = &rule->options->where[i];

        if (condition_is_never(rule->conditions[i])) {
            problem_warning(problems, where->place, "where",
                            "\"%s\" never holds, so the rule stores nothing%s", where->text,
                            where->text[0] == '{' ? ": a capture is text" : "");
        }
        for (size_t j = 0; j < i; j++) {
            if (conditions_exclude(rule->conditions[i], rule->conditions[j])) {
                problem_warning(problems, where->place, "where",
                                "\"%s\" and \"%s\" never hold together, so the rule stores nothing",
                                rule->options->where[j].text, where->text);
            }
        }
    }
}

/* --- the rest of a rule ----------------------------------------------------------------------- */

static bool is_in_key(const struct rule_options *options, const char *name)
{
    for (size_t i = 0; i < options->key_count; i++) {
        if (strcmp(options->key[i].text, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Warns of on_conflict = "update" when there is nothing to update. */
static void advise_conflict(const struct rule *rule, struct problems *problems)
{
    const struct rule_options *options = rule->options;
    bool updates = false;

    if (options->on_conflict != CONFLICT_UPDATE || rule->column_count == 0) {
        return; /* without columns: reported by the configuration */
    }
    for (size_t i = 0; i < rule->column_count; i++) {
        updates |= !is_in_key(options, rule->column_names[i]);
    }
    if (!updates) {
        problem_warning(problems, options->key[0].place, "key",
                        "every column stands in it, so there is nothing to update: "
                        "on_conflict = \"nothing\" says the same");
    }
    if (options->newest.text != NULL && is_in_key(options, options->newest.text)) {
        problem_warning(
            problems, options->newest.place, "newest",
            "\"%s\" stands in key, so rows that collide are always equally new: take it "
            "out of one of them",
            options->newest.text);
    }
}

/* MQTT: "a/" has two levels, the second of them empty, and is another topic than "a" (MQTT 5.0,
 * 4.7.1.1). A shared subscription gets no retained messages (MQTT 5.0, 3.3.1.3). */
static void advise_topic(const struct rule *rule, struct problems *problems)
{
    const struct rule_options *options = rule->options;

    for (size_t i = 0; i < options->topic_count; i++) {
        const struct option_text *topic = &options->topics[i];
        size_t length = strlen(topic->text);

        if (length > 1 && topic->text[length - 1] == '/') {
            problem_warning(problems, topic->place, "topic",
                            "ends with \"/\", so its last level is empty: \"%.*s\" would not match",
                            (int) length - 1, topic->text);
        }
    }
    if (options->share != NULL && options->share[0] != '\0' &&
        options->retained == RETAINED_STORE) {
        problem_warning(
            problems, options->place, rule->name,
            "retained = \"store\" has no effect with share: a shared subscription brings "
            "no retained messages");
    }
}

static void advise_ack(const struct rule *rule, bool mqtt5, struct problems *problems)
{
    const struct option_text *topic = &rule->options->ack.topic;

    if (rule->ack != NULL && !mqtt5 && topic->text != NULL &&
        strcmp(topic->text, "@response_topic") == 0) {
        problem_warning(problems, topic->place, "ack.topic",
                        "nothing is ever published: @response_topic comes with MQTT 5 only, and "
                        "broker.protocol is \"3.1.1\"");
    }
}

/* Warns of own SQL that only reads: its messages would count as stored, although nothing is. A
 * query that calls a function may store. */
static void advise_sql(const struct rule *rule, struct problems *problems)
{
    static const char *const signs[] = {"insert", "update", "delete", "merge",
                                        "call",   "notify", "("};
    const struct option_text *sql = &rule->options->sql;
    bool stores = sql->text == NULL;

    for (size_t i = 0; !stores && i < sizeof(signs) / sizeof(signs[0]); i++) {
        stores = strcasestr(sql->text, signs[i]) != NULL;
    }
    if (!stores) {
        problem_warning(problems, sql->place, "sql",
                        "stores nothing: write like insert into t select … from batch");
    }
}

void rule_advise(const struct rule *rule, bool mqtt5, struct problems *problems)
{
    advise_topic(rule, problems);
    for (size_t i = 0; i < rule->column_count; i++) {
        advise_column(rule, i, mqtt5, problems);
    }
    advise_rows(rule, problems);
    advise_conditions(rule, problems);
    advise_conflict(rule, problems);
    advise_ack(rule, mqtt5, problems);
    advise_sql(rule, problems);
}

/* --- rules among each other ------------------------------------------------------------------- */

/* Appends the acknowledgments' topic as an MQTT filter, with + for each level that has a
 * capture. */
static bool ack_filter(struct buf *out, const char *topic)
{
    if (topic == NULL || topic[0] == '@') {
        return false;
    }
    for (const char *at = topic;; at += strcspn(at, "/") + 1) {
        size_t length = strcspn(at, "/");
        bool varies = memchr(at, '{', length) != NULL;

        buf_append(out, varies ? "+" : at, varies ? 1 : length);
        if (at[length] == '\0') {
            return true;
        }
        buf_append_text(out, "/");
    }
}

static bool takes_some(const struct rule_topics *topics, struct slice filter)
{
    bool takes = false;

    for (size_t i = 0; !takes && i < topics->count; i++) {
        takes = mqtt_filters_overlap(slice_of(topic_filter_mqtt(topics->filters[i])), filter);
    }
    return takes;
}

/* Warns of acknowledgments that the bridge itself would receive as messages: at best needless, at
 * worst an endless loop. */
static void advise_echo(const struct rule *rule, const struct rule *taker,
                        struct problems *problems)
{
    struct buf filter = {0};
    struct buf other = {0};

    buf_printf(&other, "rule \"%s\"", taker->name);
    if (rule->ack != NULL && ack_filter(&filter, rule->options->ack.topic.text) &&
        takes_some(&taker->topics, buf_slice(&filter))) {
        problem_warning(problems, rule->options->ack.topic.place, "ack.topic",
                        "%s takes these topics, so acknowledgments come back as messages%s",
                        rule == taker ? "the rule itself" : buf_string(&other),
                        rule == taker ? ", each of which is acknowledged again" : "");
    }
    buf_fini(&other);
    buf_fini(&filter);
}

static bool same_text(const char *left, const char *right)
{
    return left != NULL && right != NULL && strcmp(left, right) == 0;
}

/* Do two rules store the same rows? Most likely one was copied and then not changed. */
static bool store_the_same(const struct rule *left, const struct rule *right)
{
    const struct rule_options *one = left->options;
    const struct rule_options *other = right->options;
    bool same = rule_topics_equal(&left->topics, &right->topics) &&
                same_text(one->table.text, other->table.text) &&
                one->column_count == other->column_count && one->where_count == 0 &&
                other->where_count == 0 && one->on_conflict == CONFLICT_ERROR &&
                (one->rows.text == NULL) == (other->rows.text == NULL);

    for (size_t i = 0; same && i < one->column_count; i++) {
        same = same_text(one->columns[i].name, other->columns[i].name) &&
               same_text(one->columns[i].expression, other->columns[i].expression);
    }
    return same && (one->rows.text == NULL || same_text(one->rows.text, other->rows.text));
}

void rules_advise(struct rule *const *rules, size_t count, struct problems *problems)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            advise_echo(rules[i], rules[j], problems);
            /* Two rules with one name are reported elsewhere. */
            if (j < i && strcmp(rules[i]->name, rules[j]->name) != 0 &&
                store_the_same(rules[i], rules[j])) {
                problem_warning(problems, rules[i]->options->place, rules[i]->name,
                                "stores the same rows as rule \"%s\": each message is stored twice",
                                rules[j]->name);
            }
        }
    }
}
