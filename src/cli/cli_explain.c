/*
 * cli_explain: `explain` shows what would become of one message, given on the command line, or with
 * --journal of all messages that the journal still holds (explain_journal).
 *
 * The lines on standard output are for people and programs: one JSON object a row, or the reason
 * for which a rule rejects or filters the message (load/explain_lines). Advice goes to standard
 * error: the nearest rule when none matches, keys that no column takes, times that cannot be right.
 *
 * Without --database it connects to nothing and converts for the columns that the rules declare.
 * With it PostgreSQL stores the rows in a transaction that is rolled back (load/rehearsal). That
 * leaves behind only what no rollback takes back: numbers taken from sequences, and what a trigger
 * does outside of the database.
 *
 * Exit codes: 0 each matching rule takes or filters the message; 1 a rule rejects it, none matches,
 * or the database could not be asked; 2 also for a payload that cannot be read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/explain_journal.h"
#include "cli/payload_input.h"
#include "core/calendar.h"
#include "core/topic.h"
#include "load/explain_advice.h"
#include "load/explain_lines.h"
#include "load/rehearsal.h"
#include "load/untaken.h"
#include "row/copy_format.h"

/* The arguments of `explain`. */
struct request {
    const char *topic; /* NULL with `journal` */
    struct payload_input payload;
    bool database; /* ask PostgreSQL */
    bool verbose;  /* say how each value came about */
    bool journal;  /* all of its messages, instead of one */
    struct journal_question question;
};

/* --- with the database ------------------------------------------------------------------------ */

/* Says on standard error why the rows that are shown are not what PostgreSQL stores, or why none
 * are shown. */
static void remark(const struct rule *rule, const struct rehearsal *rehearsal)
{
    if (rehearsal->fate != REHEARSAL_STORED || rehearsal->sent == 0) {
        return;
    }
    if (!rehearsal->returned) {
        fprintf(stderr,
                "mqtt2pg: rule \"%s\": PostgreSQL took the rows, which are shown as they were "
                "sent: %s\n",
                rule->name,
                rule->options->table.text == NULL ? "its sql decides what becomes of them"
                                                  : "reading them back needs the privilege select");
    } else if (rehearsal->rows.length == 0) {
        fprintf(stderr,
                "mqtt2pg: rule \"%s\": no row of %zu would be stored: on_conflict keeps what is "
                "there, or a trigger takes them\n",
                rule->name, rehearsal->sent);
    }
}

/* Says which type the column would need, where the table's type is too narrow for the value. */
static void tell_wider_type(const struct rule *rule, const struct rehearsal *rehearsal)
{
    struct buf sql = {0};

    explain_append_wider_type(&sql, rule, rehearsal->reason);
    if (sql.length > 0) {
        fprintf(stderr, "mqtt2pg: rule \"%s\": for a column that takes this value: %s\n",
                rule->name, buf_string(&sql));
    }
    buf_fini(&sql);
}

/* Rehearses one rule: its lines go to `out`, and *good becomes false unless the message would be
 * stored or filtered. False when the connection or the server failed: no further rule can be
 * asked. */
static bool rehearse_rule(const struct rehearsal_stage *stage, unsigned index,
                          const struct message *message, struct buf *out, bool *good)
{
    const struct rule *rule = stage->ruleset->rules[index];
    struct rehearsal rehearsal = {0};
    struct pg_failure failure;
    bool asked = rehearse(stage, index, message, &rehearsal, &failure) == OUTCOME_OK;

    if (asked) {
        explain_append_rehearsal(out, rule, &rehearsal);
        remark(rule, &rehearsal);
        if (rehearsal.fate == REHEARSAL_REJECTED) {
            tell_wider_type(rule, &rehearsal);
        }
        *good &= rehearsal.fate == REHEARSAL_STORED || rehearsal.fate == REHEARSAL_FILTERED;
    } else {
        fprintf(stderr, "mqtt2pg: rule \"%s\": the database could not be asked: %s\n", rule->name,
                failure.message);
        *good = false;
    }
    rehearsal_fini(&rehearsal);
    return asked;
}

/* Rehearses each rule that takes the message, against the tables as they are now. True when each
 * of them stores or filters it. */
static bool rehearse_all(const struct generation *generation, struct mapper *mapper,
                         const struct message *message, struct buf *out)
{
    struct pg_connection *connection = pg_connection_new(&generation->config->database);
    const struct rehearsal_stage stage = {connection, generation->ruleset, mapper};
    const struct mapped *list;
    size_t count = mapper_map(mapper, message, &list);
    unsigned *rules = memory_alloc((count + 1) * sizeof(*rules));
    struct error error;
    bool good = true, asked = true;

    for (size_t i = 0; i < count; i++) {
        rules[i] = list[i].rule_index; /* the list goes with the mapper's next call */
    }
    if (count > 0 && pg_connect(connection, &error) != OUTCOME_OK) {
        fprintf(stderr, "mqtt2pg: the database could not be asked: %s\n", error.text);
        good = asked = false;
    }
    for (size_t i = 0; asked && i < count; i++) {
        asked = rehearse_rule(&stage, rules[i], message, out, &good);
    }
    assert(asked || !good); /* nobody asked is never a good answer */
    pg_connection_free(connection);
    free(rules);
    return good;
}

/* --- for people ------------------------------------------------------------------------------- */

/* One line for each {name} of the rule's topic, with the level of this message's topic. */
static void tell_captures(const struct mapped *mapped)
{
    const struct rule_topics *topics = &mapped->rule->topics;

    for (size_t i = 0; i < topics->capture_count; i++) {
        struct buf text = {0};

        text_append_printable(&text, mapped->subject.captures[i], 200);
        fprintf(stderr, "  {%s} = %s\n", topics->captures[i],
                mapped->subject.captures[i].data == NULL ? "null" : buf_string(&text));
        buf_fini(&text);
    }
}

/* Which line of `where` does not hold; with `rows` each row has its own answer. */
static void tell_conditions(struct mapper *mapper, const struct mapped *mapped)
{
    const struct rule *rule = mapped->rule;
    struct error error;
    bool holds;

    for (size_t i = 0; i < rule->condition_count; i++) {
        const struct option_text *where = &rule->options->where[i];

        if (rule->rows != NULL) {
            fprintf(stderr, "  %s:%d: where %s: asked for each row\n", where->place.file,
                    where->place.line, where->text);
        } else if (condition_holds(rule->conditions[i], &mapped->subject, mapper_arena(mapper),
                                   &holds, &error) == OUTCOME_OK) {
            fprintf(stderr, "  %s:%d: where %s: %s\n", where->place.file, where->place.line,
                    where->text, holds ? "holds" : "does not hold");
        }
    }
}

/* One line for each value: where its expression stands in the file, and what came out. */
static void tell_columns(const struct mapped *mapped)
{
    const struct rule *rule = mapped->rule;

    for (size_t i = 0; mapped->verdict == VERDICT_ROWS && i < rule->column_count; i++) {
        for (size_t row = 0; row < mapped->rows; row++) {
            struct buf value = {0};

            datum_append_json(&value, &mapped->datums[row * rule->column_count + i],
                              &rule->declared->columns[i]);
            fprintf(stderr, "  %s:%d: %s = %s: %s\n", rule->options->columns[i].place.file,
                    rule->options->columns[i].place.line, rule->column_names[i],
                    rule->options->columns[i].expression, buf_string(&value));
            buf_fini(&value);
        }
    }
}

/* --verbose: how the rule came to its verdict, on standard error. Conditions are told only when
 * the payload could be decoded or the rule does not look into it. */
static void tell(struct mapper *mapper, const struct mapped *mapped)
{
    const struct rule *rule = mapped->rule;
    struct buf topics = {0};

    rule_topics_append(&topics, rule->options);
    fprintf(stderr, "rule %s (%s:%d): topic %s\n", rule->name, rule->options->place.file,
            rule->options->place.line, buf_string(&topics));
    buf_fini(&topics);
    tell_captures(mapped);
    if (mapped->subject.payload != NULL || !rule->uses_payload) {
        tell_conditions(mapper, mapped);
    }
    tell_columns(mapped);
}

/* --- the command ------------------------------------------------------------------------------ */

/* No rule matches: names the rule whose topic comes nearest. */
static void tell_nearest(const struct generation *generation, struct slice topic)
{
    struct buf advice = {0};

    explain_append_nearest(&advice, generation->ruleset, topic);
    fprintf(stderr, "mqtt2pg: no rule's topic matches \"%.*s\"%s%s\n", SLICE_ARGS(topic),
            advice.length > 0 ? ": " : "", buf_string(&advice));
    buf_fini(&advice);
}

/* Names keys of the payload that no column takes, but only where a column stayed empty or the
 * rule rejects the message. Otherwise the rule leaves those keys out on purpose. */
static void tell_not_taken(const struct mapped *mapped)
{
    struct buf keys = {0};
    bool suspicious = mapped->verdict == VERDICT_REJECTED;

    for (size_t i = 0;
         mapped->verdict == VERDICT_ROWS && mapped->rows > 0 && i < mapped->rule->column_count;
         i++) {
        suspicious |= mapped->datums[i].null;
    }
    if (suspicious && untaken_append(&keys, mapped->rule, mapped->subject.payload)) {
        fprintf(stderr, "mqtt2pg: rule \"%s\": no column takes: %s\n", mapped->rule->name,
                buf_string(&keys));
    }
    buf_fini(&keys);
}

/* Says which columns have a time long ago or in the future. */
static void tell_odd_times(const struct mapped *mapped)
{
    struct buf odd = {0};

    if (mapped->verdict == VERDICT_ROWS) {
        explain_append_odd_times(&odd, mapped);
    }
    for (const char *line = buf_string(&odd); *line != '\0';) {
        int length = (int) strcspn(line, "\n") + 1; /* with its newline */

        assert(line[length - 1] == '\n');
        fprintf(stderr, "mqtt2pg: %.*s", length, line);
        line += length;
    }
    buf_fini(&odd);
}

/* Prints what each rule makes of the message. The mapper's list is valid until its next call:
 * rehearse_all() maps the message again, so it comes last. */
static int explain_message(const struct generation *generation, const struct message *message,
                           const struct request *request)
{
    struct mapper *mapper = mapper_new(generation->ruleset);
    const struct mapped *list;
    struct buf out = {0};
    size_t count = mapper_map(mapper, message, &list);
    bool good = count > 0;

    assert(request->topic != NULL && !request->journal);
    for (size_t i = 0; request->verbose && i < count; i++) {
        tell(mapper, &list[i]);
    }
    for (size_t i = 0; !request->database && i < count; i++) {
        tell_odd_times(&list[i]);
        explain_append_mapped(&out, &list[i]);
        good &= list[i].verdict != VERDICT_REJECTED;
    }
    for (size_t i = 0; i < count; i++) {
        tell_not_taken(&list[i]);
    }
    if (request->database) {
        good &= rehearse_all(generation, mapper, message, &out);
    }
    fwrite(out.data, 1, out.length, stdout);
    if (count == 0) {
        tell_nearest(generation, message->topic);
    }
    buf_fini(&out);
    mapper_free(mapper);
    return good ? CLI_DONE : CLI_FAILED;
}

/* Reads one of the options that go with --journal. False when the argument is something else. */
static bool parse_question(const struct cli_call *call, int *at, struct request *request,
                           int *exit_code)
{
    const char *value;

    if (strcmp(call->arguments[*at], "--journal") == 0) {
        request->journal = true;
    } else if (strcmp(call->arguments[*at], "--json") == 0) {
        request->question.json = true;
    } else if ((value = cli_option(call, at, "--compare")) != NULL) {
        request->question.compare = value;
    } else if ((value = cli_option(call, at, "--since")) != NULL) {
        if (!text_parse_duration(slice_of(value), &request->question.since_ms)) {
            *exit_code = cli_usage(call, "\"%s\" is not a duration like \"1h\"", value);
        }
    } else {
        return false;
    }
    return true;
}

/* Reads one of the options that say where the payload is, and in which form. False when the
 * argument is something else. */
static bool parse_payload(const struct cli_call *call, int *at, struct request *request)
{
    const char *value;

    if (strcmp(call->arguments[*at], "--hex") == 0) {
        request->payload.hex = true;
    } else if (strcmp(call->arguments[*at], "--base64") == 0) {
        request->payload.base64 = true;
    } else if ((value = cli_option(call, at, "--payload-file")) != NULL) {
        request->payload.file = value;
    } else {
        return false;
    }
    return true;
}

/* A shell takes JSON without quotes apart, into several words. */
static const char need_words[] =
    "explain needs a topic, and takes at most one payload: write it in single quotes, '{…}'";

/* Refuses arguments that do not go together: CLI_DONE or CLI_USAGE. */
static int check_request(const struct cli_call *call, const struct request *request)
{
    const struct journal_question *question = &request->question;

    if (!request->journal &&
        (question->json || question->since_ms != 0 || question->compare != NULL)) {
        return cli_usage(call, "--since, --compare and --json need --journal");
    }
    if (request->journal && (request->topic != NULL || request->database)) {
        return cli_usage(call, "--journal takes no topic, and connects to nothing");
    }
    if (request->payload.text != NULL && request->payload.file != NULL) {
        return cli_usage(call, "give a payload or --payload-file, not both");
    }
    if (request->payload.hex && request->payload.base64) {
        return cli_usage(call, "give --hex or --base64, not both");
    }
    return request->journal || request->topic != NULL ? CLI_DONE : cli_usage(call, need_words);
}

/* Reads the arguments. A payload may begin with "-", like -5: behind the topic only the names of
 * our options are options, and not those of --journal. */
static int parse_request(const struct cli_call *call, struct request *request)
{
    int exit_code = CLI_DONE;

    for (int i = 0; i < call->count && exit_code == CLI_DONE; i++) {
        const char *argument = call->arguments[i];

        if (strcmp(argument, "--database") == 0) {
            request->database = true;
        } else if (strcmp(argument, "-v") == 0 || strcmp(argument, "--verbose") == 0) {
            request->verbose = true;
        } else if (parse_payload(call, &i, request)) {
            continue;
        } else if ((request->topic == NULL || request->journal) &&
                   parse_question(call, &i, request, &exit_code)) {
            continue;
        } else if (request->topic == NULL && argument[0] == '-') {
            return cli_usage(call, "unknown option \"%s\"", argument);
        } else if (request->topic == NULL) {
            request->topic = argument;
        } else if (request->payload.text == NULL) {
            request->payload.text = argument;
        } else {
            return cli_usage(call, need_words);
        }
    }
    return exit_code == CLI_DONE ? check_request(call, request) : exit_code;
}

/* The message is one that a broker could have sent now: QoS 1, not retained. */
int cli_explain(const struct cli_call *call)
{
    struct generation *generation;
    struct message message = {.kind = MESSAGE_PUBLISH, .qos = 1, .received_at_us = clock_wall_us()};
    struct request request = {0};
    struct buf payload = {0};
    struct error error;
    int exit_code = parse_request(call, &request);

    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    if (request.journal) {
        return explain_journal(call, &request.question);
    }
    assert(request.topic != NULL); /* check_request() wants one without --journal */
    message.topic = slice_of(request.topic);
    if (!topic_is_publishable(message.topic)) {
        return cli_usage(call, "\"%s\" is not a topic that a message can have%s", request.topic,
                         strpbrk(request.topic, "+#") != NULL ? ": + and # stand in filters" : "");
    }
    generation = cli_load(call, stderr);
    if (generation == NULL) {
        return CLI_CONFIGURATION;
    }
    if (payload_input_read(&request.payload, &payload, &error) == OUTCOME_OK) {
        message.payload = buf_slice(&payload);
        exit_code = explain_message(generation, &message, &request);
    } else {
        fprintf(stderr, "mqtt2pg: %s\n", error.text);
        exit_code = CLI_USAGE;
    }
    buf_fini(&payload);
    generation_free(generation);
    return exit_code;
}
