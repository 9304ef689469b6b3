/* SPDX-License-Identifier: MIT */
#include "load/inheritance.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "load/lineage.h"
#include "pg/letter_orphans.h"

enum { PORTION_LETTERS = 500 };

static bool takes(const struct rule *rule, struct slice topic)
{
    struct slice *captures = memory_alloc((rule->topics.capture_count + 1) * sizeof(*captures));
    bool match = rule_topics_match(&rule->topics, topic, captures);

    free(captures);
    return match;
}

/* Has this rule of today, perhaps under another name, taken the letter's message itself? */
static bool has_taken(const struct ruleset *ruleset, const struct letter_orphan *orphan,
                      const struct rule *rule)
{
    const struct former_rules all = {orphan->rules, orphan->marks};
    struct former_rules left = all;
    struct former_rule former;

    while (lineage_next(&left, &former)) {
        if (lineage_successor(ruleset, &former, &all) == rule) {
            return true;
        }
    }
    return false;
}

/* Who gets the letter: the rule that goes on with its own, if it takes the topic; else all rules
 * that take the topic and have not taken the message themselves. A letter of an earlier version
 * that does not tell who has taken the message stays. */
static void find_heirs(const struct ruleset *ruleset, const struct letter_orphan *orphan,
                       struct letter_heirs *heirs)
{
    const struct former_rule own = {slice_of(orphan->rule), orphan->mark};
    const struct former_rules all = {orphan->rules, orphan->marks};
    const struct rule *successor = lineage_successor(ruleset, &own, &all);

    if (successor != NULL && takes(successor, orphan->topic)) {
        /* Else bytes in the topic have only kept the regular expression from matching. */
        if (strcmp(successor->name, orphan->rule) != 0) {
            letter_heirs_add(heirs, orphan->id, successor->name, successor->options->table.text);
        }
        return;
    }
    for (size_t i = 0; orphan->rules.length > 0 && i < ruleset->count; i++) {
        const struct rule *rule = ruleset->rules[i];

        if (takes(rule, orphan->topic) && !has_taken(ruleset, orphan, rule)) {
            letter_heirs_add(heirs, orphan->id, rule->name, rule->options->table.text);
        }
    }
}

/* Appends an MQTT filter as a regular expression of PostgreSQL. */
static void append_filter(struct buf *out, const char *filter)
{
    for (const char *at = filter; *at != '\0'; at++) {
        if (strcmp(at, "/#") == 0) {
            buf_append_text(out, "(/.*)?");
            return;
        }
        if (*at == '#') {
            buf_append_text(out, ".*");
        } else if (*at == '+') {
            buf_append_text(out, "[^/]*");
        } else {
            buf_printf(out, "%s%c", strchr(".^$*?()[]{}|\\", *at) == NULL ? "" : "\\", *at);
        }
    }
}

/* A regular expression of PostgreSQL for all topics of the rule. The caller frees it. */
static char *topics_pattern(const struct rule *rule)
{
    struct buf out = {0};
    char *pattern;

    assert(rule->topics.count > 0);
    for (size_t i = 0; i < rule->topics.count; i++) {
        buf_append_text(&out, i == 0 ? "^(" : "|");
        append_filter(&out, topic_filter_mqtt(rule->topics.filters[i]));
    }
    buf_append_text(&out, ")$");
    pattern = memory_copy(buf_slice(&out));
    buf_fini(&out);
    return pattern;
}

static void tell_given(const struct pg_rows *rows)
{
    for (int row = 0; row < pg_rows_count(rows); row++) {
        log_info("parked messages of a former rule go to another one",
                 F_TEXT("former", pg_rows_text(rows, row, 0)),
                 F_TEXT("rule", pg_rows_text(rows, row, 1)),
                 F_TEXT("messages", pg_rows_text(rows, row, 2)));
    }
}

/* Logs the first letter that no rule has taken over. */
static enum outcome tell_left(struct pg_connection *connection, const struct orphans_query *all,
                              struct pg_failure *failure)
{
    struct orphans_query query = *all;
    struct letter_orphans orphans;
    enum outcome outcome;

    query.after_id = 0;
    query.limit = 1;
    query.topics = NULL;
    outcome = letter_orphans_read(connection, &query, &orphans, failure);
    if (outcome == OUTCOME_OK && orphans.count > 0) {
        log_warn("parked messages belong to a rule that is not there: they stay in the dead "
                 "letters until it comes back, or another rule takes their topics",
                 F_TEXT("rule", orphans.list[0].rule), F_SLICE("topic", orphans.list[0].topic));
    }
    letter_orphans_fini(&orphans);
    return outcome;
}

static enum outcome settle_portion(const struct ruleset *ruleset, struct pg_connection *connection,
                                   const struct letter_orphans *orphans, struct pg_failure *failure)
{
    struct letter_heirs heirs = {.count = 0};
    struct pg_rows *rows = NULL;
    enum outcome outcome = OUTCOME_OK;

    for (size_t i = 0; i < orphans->count; i++) {
        find_heirs(ruleset, &orphans->list[i], &heirs);
    }
    if (heirs.count > 0) {
        outcome = letter_heirs_give(connection, &heirs, &rows, failure);
    }
    if (outcome == OUTCOME_OK && rows != NULL) {
        tell_given(rows);
    }
    pg_rows_free(rows);
    letter_heirs_fini(&heirs);
    return outcome;
}

/* How many letters to settle of those that were read. The last message of a full portion may have
 * more letters behind it, and letter-inherit.sql must see all of a message's letters to give each
 * heir one. */
static size_t whole_messages(const struct letter_orphans *orphans)
{
    size_t count = orphans->count;
    struct slice last = orphans->list[count - 1].message;

    if (count < PORTION_LETTERS || last.length == 0) {
        return count;
    }
    while (count > 0 && slice_equal(orphans->list[count - 1].message, last)) {
        count--;
    }
    return count > 0 ? count : orphans->count;
}

/* Reads the letters portion by portion and gives each to its heirs, the rules that take its topic
 * now. */
static enum outcome settle(const struct ruleset *ruleset, struct pg_connection *connection,
                           struct orphans_query *query, struct pg_failure *failure)
{
    enum outcome outcome = OUTCOME_OK;
    bool any = false, more = true;

    while (outcome == OUTCOME_OK && more) {
        struct letter_orphans orphans;

        outcome = letter_orphans_read(connection, query, &orphans, failure);
        assert(orphans.count <= PORTION_LETTERS);
        more = orphans.count == PORTION_LETTERS;
        if (outcome == OUTCOME_OK && orphans.count > 0) {
            orphans.count = whole_messages(&orphans);
            query->after_id = orphans.list[orphans.count - 1].id;
            outcome = settle_portion(ruleset, connection, &orphans, failure);
            any = true;
        }
        letter_orphans_fini(&orphans);
    }
    return outcome == OUTCOME_OK && any ? tell_left(connection, query, failure) : outcome;
}

enum outcome inheritance_settle(const struct ruleset *ruleset, struct pg_connection *connection,
                                bool edited, struct pg_failure *failure)
{
    const char **names = memory_alloc((ruleset->count + 1) * sizeof(*names));
    const char **marks = memory_alloc((ruleset->count + 1) * sizeof(*marks));
    char **topics = memory_alloc((ruleset->count + 1) * sizeof(*topics));
    struct orphans_query query = {.known = names,
                                  .topics = edited ? (const char *const *) topics : NULL,
                                  .marks = marks,
                                  .known_count = ruleset->count,
                                  .limit = PORTION_LETTERS};
    enum outcome outcome;

    for (size_t i = 0; i < ruleset->count; i++) {
        names[i] = ruleset->rules[i]->name;
        marks[i] = ruleset->rules[i]->mark;
        topics[i] = topics_pattern(ruleset->rules[i]);
    }
    outcome = settle(ruleset, connection, &query, failure);
    if (outcome != OUTCOME_OK && pg_is_connected(connection)) {
        log_warn("parked messages of former rules can't be looked for now",
                 F_TEXT("reason", failure->message));
        outcome = OUTCOME_OK;
    }
    for (size_t i = 0; i < ruleset->count; i++) {
        free(topics[i]);
    }
    free(topics);
    free(marks);
    free(names);
    return outcome;
}
