/*
 * explain_journal: reads the journal once, gives each message to one or two surveys (load/survey),
 * and prints what they counted.
 *
 * Each message is read once and mapped under both configurations, so a comparison needs no memory
 * for the messages; only the first few that differ are kept for the output. Opens the journal
 * read-only and connects to nothing.
 *
 * Exit codes: 0 read to the end; 1 the journal could not be opened or read to its end, and then
 * what was counted until there is printed all the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/explain_journal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "bridge/plan_keeper.h"
#include "journal/journal_reader.h"
#include "load/survey.h"

/* How many of each a person is shown. --json has all that the survey keeps, and the same few
 * changes. */
enum { TOPICS_SHOWN = 10, REASONS_SHOWN = 5, CHANGES_SHOWN = 5 };

/* One message of which the two configurations make something else. */
struct change {
    uint64_t sequence;
    char *topic, *before, *after; /* owned */
};

/* A journal under one or two configurations. */
struct study {
    struct survey *survey;
    struct survey *other;                 /* NULL: no comparison */
    uint64_t changed;                     /* messages that come out differently */
    struct change changes[CHANGES_SHOWN]; /* the first of them */
    size_t change_count;
    int64_t from_us, to_us; /* of the messages; 0 = none */
};

/* Counts the message when the fates under the two configurations differ, and keeps the first
 * few. */
static void note_change(struct study *study, const struct message *message, struct buf *before,
                        struct buf *after)
{
    if (slice_equal(buf_slice(before), buf_slice(after))) {
        return;
    }
    study->changed++;
    if (study->change_count < CHANGES_SHOWN) {
        study->changes[study->change_count++] = (struct change){
            .sequence = message->sequence,
            .topic = memory_copy(message->topic),
            .before = memory_copy(buf_slice(before)),
            .after = memory_copy(buf_slice(after)),
        };
    }
    assert(study->change_count <= CHANGES_SHOWN && study->change_count <= study->changed);
}

/* Counts a message under each configuration. A copy that a broker sent for an overlapping
 * subscription is compared only when it counts under both. */
static void study_message(struct study *study, const struct message *message)
{
    struct buf before = {0}, after = {0};

    assert(message->kind == MESSAGE_PUBLISH);
    bool counts = survey_add(study->survey, message, study->other != NULL ? &before : NULL);

    study->from_us = study->from_us == 0 ? message->received_at_us : study->from_us;
    study->to_us = message->received_at_us;
    if (study->other != NULL && survey_add(study->other, message, &after) && counts) {
        note_change(study, message, &before, &after);
    }
    buf_fini(&before);
    buf_fini(&after);
}

/* Studies all messages that were received at `from_us` or later (microseconds since 1970).
 * Damaged places, gaps and heads of messages that were too large are passed over. False when
 * reading failed before the end. */
static bool study_journal(struct study *study, struct journal *journal, int64_t from_us)
{
    struct journal_reader *reader = journal_reader_new(journal);
    struct journal_next next;
    enum journal_read read = JOURNAL_READ_FAILED;

    if (journal_reader_seek(reader, journal_first(journal), &next.error) == OUTCOME_OK) {
        while ((read = journal_reader_next(reader, &next)) == JOURNAL_READ_MESSAGE ||
               read == JOURNAL_READ_MISSING) {
            if (read == JOURNAL_READ_MESSAGE && next.message.kind == MESSAGE_PUBLISH &&
                next.message.received_at_us >= from_us) {
                study_message(study, &next.message);
            }
        }
    }
    assert(read == JOURNAL_READ_END || read == JOURNAL_READ_FAILED);
    if (read == JOURNAL_READ_FAILED) {
        fprintf(stderr, "mqtt2pg: the journal can't be read: %s\n", next.error.text);
    }
    journal_reader_free(reader);
    return read == JOURNAL_READ_END;
}

/* --- for programs ----------------------------------------------------------------------------- */

/* Appends a member with a text. */
static void append_text(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "\"%s\":", name);
    text_append_json(out, slice_of(text));
}

/* Appends an object: one rule's numbers, and the kinds of reasons for which it rejects. */
static void append_rule_json(struct buf *out, const struct survey_rule *rule)
{
    buf_append_text(out, "{");
    append_text(out, "rule", rule->name);
    buf_printf(out,
               ",\"messages\":%" PRIu64 ",\"rows\":%" PRIu64 ",\"filtered\":%" PRIu64
               ",\"rejected\":%" PRIu64 ",\"reasons\":[",
               rule->messages, rule->rows, rule->filtered, rule->rejected);
    for (size_t i = 0; i < rule->reason_count; i++) {
        const struct survey_reason *reason = &rule->reasons[i];

        buf_append_text(out, i > 0 ? ",{" : "{");
        append_text(out, "reason", reason->kind);
        buf_printf(out, ",\"count\":%" PRIu64 ",", reason->count);
        append_text(out, "example", reason->example);
        buf_append_text(out, ",");
        append_text(out, "topic", reason->topic);
        buf_printf(out, ",\"sequence\":%" PRIu64 "}", reason->sequence);
    }
    buf_append_text(out, "]}");
}

/* Appends the members of one configuration, without braces, so that the caller can add its own. */
static void append_survey_json(struct buf *out, const struct survey *survey)
{
    buf_printf(out,
               "\"messages\":%" PRIu64 ",\"copies\":%" PRIu64 ",\"unmatched\":%" PRIu64
               ",\"rules\":[",
               survey->messages, survey->copy_count, survey->unmatched);
    for (size_t i = 0; i < survey->ruleset->count; i++) {
        buf_append_text(out, i > 0 ? "," : "");
        append_rule_json(out, &survey->rules[i]);
    }
    buf_append_text(out, "],\"unmatched_topics\":[");
    for (size_t i = 0; i < survey->topic_count; i++) {
        buf_append_text(out, i > 0 ? ",{" : "{");
        append_text(out, "topic", survey->topics[i].topic);
        buf_printf(out, ",\"count\":%" PRIu64 "}", survey->topics[i].count);
    }
    buf_append_text(out, "]");
}

/* Appends a member: an array of what became of a message. Each line of `fates` is a JSON object and
 * ends in a newline; a newline inside of a text is "\n" in JSON. */
static void append_fates_json(struct buf *out, const char *name, const char *fates)
{
    buf_printf(out, "\"%s\":[", name);
    for (const char *at = fates; *at != '\0';) {
        const char *end = strchr(at, '\n');

        assert(*at == '{' && end != NULL && end[-1] == '}');
        buf_append_text(out, at == fates ? "" : ",");
        buf_append(out, at, (size_t) (end - at));
        at = end + 1;
    }
    buf_append_text(out, "]");
}

/* Appends the whole answer: one object in one line. */
static void append_study_json(struct buf *out, const struct study *study)
{
    buf_append_text(out, "{");
    append_survey_json(out, study->survey);
    if (study->other != NULL) {
        buf_append_text(out, ",\"compare\":{");
        append_survey_json(out, study->other);
        buf_printf(out, "},\"changed\":%" PRIu64 ",\"changes\":[", study->changed);
        for (size_t i = 0; i < study->change_count; i++) {
            const struct change *change = &study->changes[i];

            buf_printf(out, "%s{\"sequence\":%" PRIu64 ",", i > 0 ? "," : "", change->sequence);
            append_text(out, "topic", change->topic);
            buf_append_text(out, ",");
            append_fates_json(out, "before", change->before);
            buf_append_text(out, ",");
            append_fates_json(out, "after", change->after);
            buf_append_text(out, "}");
        }
        buf_append_text(out, "]");
    }
    buf_append_text(out, "}\n");
}

/* --- for people ------------------------------------------------------------------------------- */

/* Appends a line with one rule's numbers, then its most frequent reasons, each with its first
 * message as an example. */
static void append_rule(struct buf *out, const struct survey_rule *rule)
{
    buf_printf(out,
               "rule %s: %" PRIu64 " messages, %" PRIu64 " rows, %" PRIu64 " filtered, %" PRIu64
               " rejected\n",
               rule->name, rule->messages, rule->rows, rule->filtered, rule->rejected);
    assert(rule->reason_count <= SURVEY_REASONS_MAX);
    for (size_t i = 0; i < rule->reason_count && i < REASONS_SHOWN; i++) {
        const struct survey_reason *reason = &rule->reasons[i];

        buf_printf(out, "  %" PRIu64 " x ", reason->count);
        text_append_printable(out, slice_of(reason->example), SIZE_MAX);
        buf_printf(out, " (message %" PRIu64 ", ", reason->sequence);
        text_append_printable(out, slice_of(reason->topic), 200);
        buf_append_text(out, ")\n");
    }
}

/* Appends one configuration's rules, then the most frequent topics that no rule takes. */
static void append_survey(struct buf *out, const struct survey *survey)
{
    for (size_t i = 0; i < survey->ruleset->count; i++) {
        append_rule(out, &survey->rules[i]);
    }
    assert(survey->topic_count <= SURVEY_TOPICS_MAX);
    if (survey->unmatched > 0) {
        buf_printf(out, "no rule takes %" PRIu64 " messages:\n", survey->unmatched);
    }
    for (size_t i = 0; i < survey->topic_count && i < TOPICS_SHOWN; i++) {
        buf_printf(out, "  %" PRIu64 " x ", survey->topics[i].count);
        text_append_printable(out, slice_of(survey->topics[i].topic), 200);
        buf_append_text(out, "\n");
    }
}

/* Appends what became of one message, with `sign` in front of each line like a diff. Each line of
 * `fates` ends in a newline. */
static void append_fates(struct buf *out, const char *sign, const char *fates)
{
    if (fates[0] == '\0') {
        buf_printf(out, "    %s no rule\n", sign);
    }
    for (const char *at = fates; *at != '\0';) {
        size_t length = strcspn(at, "\n");

        buf_printf(out, "    %s ", sign);
        text_append_printable(out, slice_make(at, length), 300);
        buf_append_text(out, "\n");
        at += length + (at[length] == '\n');
    }
}

/* Appends the other configuration's numbers, and the first messages that come out differently. */
static void append_comparison(struct buf *out, const struct study *study, const char *other)
{
    assert(study->other != NULL && other != NULL);
    buf_printf(out, "\nwith %s:\n", other);
    append_survey(out, study->other);
    buf_printf(out, "%" PRIu64 " of %" PRIu64 " messages come out differently\n", study->changed,
               study->survey->messages);
    for (size_t i = 0; i < study->change_count; i++) {
        const struct change *change = &study->changes[i];

        buf_printf(out, "  message %" PRIu64 ", ", change->sequence);
        text_append_printable(out, slice_of(change->topic), 200);
        buf_append_text(out, "\n");
        append_fates(out, "-", change->before);
        append_fates(out, "+", change->after);
    }
}

/* Appends the whole answer for people. `other` is the other configuration's file, or NULL. */
static void append_study(struct buf *out, const struct study *study, const char *other)
{
    buf_printf(out, "%" PRIu64 " messages", study->survey->messages);
    if (study->from_us != 0) {
        buf_append_text(out, " from ");
        text_format_time(out, study->from_us);
        buf_append_text(out, " to ");
        text_format_time(out, study->to_us);
    }
    if (study->survey->copy_count > 0) {
        buf_printf(out, ", and %" PRIu64 " copies for overlapping subscriptions",
                   study->survey->copy_count);
    }
    buf_append_text(out, "\n");
    append_survey(out, study->survey);
    if (study->other != NULL) {
        append_comparison(out, study, other);
    }
}

/* --- the command ------------------------------------------------------------------------------ */

/* Sorts what was counted and prints it, for a person or a program. */
static void print_study(struct study *study, const struct journal_question *question)
{
    struct buf out = {0};

    survey_finish(study->survey);
    if (study->other != NULL) {
        survey_finish(study->other);
    }
    if (question->json) {
        append_study_json(&out, study);
    } else {
        append_study(&out, study, question->compare);
    }
    fwrite(out.data, 1, out.length, stdout);
    buf_fini(&out);
}

/* The journal is the one of the first configuration. `other` may be NULL. */
static int study_and_print(struct generation *generation, struct generation *other,
                           const struct journal_question *question)
{
    struct journal_options options = generation->config->journal;
    struct study study = {.survey = NULL};
    struct journal *journal = NULL;
    struct error error;
    int64_t from_us = question->since_ms > 0 ? clock_wall_us() - question->since_ms * 1000 : 0;
    bool complete = false;

    assert((other == NULL) == (question->compare == NULL) && question->since_ms >= 0);
    options.read_only = true; /* the service may hold its lock */
    if (journal_open(&journal, &options, &error) == OUTCOME_OK) {
        plan_keeper_look(generation, generation->config, journal);
        study.survey = survey_new(generation->ruleset);
        if (other != NULL) {
            plan_keeper_look(other, generation->config, journal);
            study.other = survey_new(other->ruleset);
        }
        complete = study_journal(&study, journal, from_us);
        print_study(&study, question);
        journal_close(journal);
    } else {
        fprintf(stderr, "mqtt2pg: %s\n", error.text);
    }
    for (size_t i = 0; i < study.change_count; i++) {
        free(study.changes[i].topic);
        free(study.changes[i].before);
        free(study.changes[i].after);
    }
    survey_free(study.survey);
    survey_free(study.other);
    return complete ? CLI_DONE : CLI_FAILED;
}

/* A mistake in either configuration ends the command before the journal is opened. */
int explain_journal(const struct cli_call *call, const struct journal_question *question)
{
    struct generation *generation = cli_load(call, stderr);
    struct generation *other = NULL;
    int exit_code = CLI_CONFIGURATION;

    if (generation != NULL && question->compare != NULL) {
        struct cli_call second = *call;

        second.config_file = question->compare;
        second.config_given = true;
        other = cli_load(&second, stderr);
    }
    if (generation != NULL && (question->compare == NULL || other != NULL)) {
        exit_code = study_and_print(generation, other, question);
    }
    generation_free(generation);
    generation_free(other);
    return exit_code;
}
