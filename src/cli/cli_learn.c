/*
 * cli_learn: `learn` listens to a broker without storing, and prints a configuration for what came,
 * or with --sql the tables that go with it.
 *
 * Connects to the broker only, under a client id of its own and without a session: nothing is
 * stored, acknowledged or published, and the broker keeps nothing. The proposal goes to standard
 * output, progress and remarks to standard error, so that the output can be sent to a file.
 *
 * Ctrl-C ends the listening, not the command: what came until then is proposed.
 *
 * Exit codes: 0 something is proposed; 1 the broker could not be asked, no message came, or all
 * payloads were empty; 3 also when the configuration that names the broker has mistakes outside of
 * its rules, which are not read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/lesson.h"
#include "load/rule.h"
#include "pg/target.h"

/* Without --for. Devices often report every ten seconds or more often: each is heard twice. */
#define LISTEN_MS_DEFAULT 30000

/* The arguments of `learn`, and the configuration that they lead to. Texts are borrowed from the
 * command line. */
struct learning {
    const char *topic;     /* as it was typed, in the language of rules */
    const char *broker;    /* --broker; NULL = as configured */
    int64_t listen_ms;     /* more than 0 */
    bool sql;              /* print the tables, not the configuration */
    const char *file;      /* the configuration; NULL = none is there */
    struct config *config; /* owned; its rules are not read */
};

/* --- printing --------------------------------------------------------------------------------- */

/* The comment at the top of the proposal: from how much it was learned, what to do next, and
 * what was left out because of a limit. */
static void append_head(const struct lesson *lesson, struct buf *out)
{
    buf_append_text(out, "# Proposed by mqtt2pg learn, out of ");
    lesson_append_seen(lesson, out);
    buf_append_text(
        out, ".\n"
             "# Read it through and make it yours: names, types, what is not wanted. Then, with "
             "this file as FILE:\n"
             "#   mqtt2pg -c FILE check      every mistake\n"
             "#   mqtt2pg -c FILE schema     the SQL of the tables\n"
             "#   mqtt2pg -c FILE run        the service; create = true makes the tables\n");
    lesson_append_limits(lesson, out);
    buf_append_text(out, "\n");
}

/* The settings outside of the rules: those of the configuration that was read, word for word, or
 * a small set to be completed when there is none or --broker names another broker. */
static void append_settings(const struct learning *learning, struct buf *out)
{
    assert(learning->config != NULL);
    if (learning->broker == NULL && learning->file != NULL) {
        config_append_given(learning->file, out);
    } else {
        buf_append_text(out, "broker: { url = ");
        proposal_append_quoted(out, learning->config->broker.urls[0]);
        buf_append_text(out, "; };\n"
                             "database: { conninfo = \"\"; };   # like \"host=localhost "
                             "dbname=telemetry user=bridge\"\n"
                             "journal: { directory = \"journal\"; };   # beside this file; a "
                             "service leaves this line out\n");
    }
    buf_append_text(out, "\n");
}

/* Appends the SQL of one proposed rule's table, from the same function that creates tables. The
 * rule is compiled for it, without the columns that are proposed as comments only. False when it
 * does not compile; the reason is printed. */
static bool append_table(const struct proposed_rule *proposed, struct buf *out)
{
    struct option_text topic = {.text = proposed->topic};
    struct rule_options options = {.name = proposed->name,
                                   .share = "",
                                   .topics = &topic,
                                   .topic_count = 1,
                                   .format.text = proposed->format,
                                   .rows.text = proposed->rows,
                                   .table.text = proposed->name,
                                   .create = true};
    struct problems problems = {0};
    struct rule *rule;

    options.columns = memory_alloc((proposed->column_count + 1) * sizeof(*options.columns));
    for (size_t i = 0; i < proposed->column_count; i++) {
        if (!proposed->columns[i].off) {
            options.columns[options.column_count++] = (struct option_column){
                .name = proposed->columns[i].name, .expression = proposed->columns[i].expression};
        }
    }
    assert(options.column_count <= proposed->column_count);
    rule = rule_compile(&options, &problems);
    if (rule != NULL) {
        buf_printf(out, "\n-- %s\n", proposed->topic);
        target_create_sql(out, &options, rule->declared);
    }
    problems_print(&problems, stderr);
    problems_fini(&problems);
    rule_free(rule);
    free(options.columns);
    return rule != NULL;
}

/* Prints what is proposed. CLI_FAILED when no message had a payload, or a table has no SQL. */
static int print_proposal(const struct learning *learning, struct lesson *lesson)
{
    struct proposal *proposal = lesson_propose(lesson);
    struct buf out = {0};
    int exit_code = CLI_DONE;

    if (proposal->rule_count == 0) {
        fprintf(stderr, "mqtt2pg: all payloads were empty, so there is nothing to propose\n");
        exit_code = CLI_FAILED;
    } else if (learning->sql) {
        for (size_t i = 0; i < proposal->rule_count; i++) {
            exit_code = append_table(&proposal->rules[i], &out) ? exit_code : CLI_FAILED;
        }
    } else {
        append_head(lesson, &out);
        append_settings(learning, &out);
        proposal_append(&out, proposal);
    }
    if (proposal->rule_count > 0) {
        fprintf(stderr, "mqtt2pg: %zu rule%s proposed\n", proposal->rule_count,
                proposal->rule_count == 1 ? "" : "s");
    }
    fwrite(out.data, 1, out.length, stdout);
    buf_fini(&out);
    proposal_free(proposal);
    return exit_code;
}

/* --- the command ------------------------------------------------------------------------------ */

/* Reads the arguments: CLI_DONE or CLI_USAGE. */
static int parse_request(const struct cli_call *call, struct learning *learning)
{
    const char *value;

    for (int i = 0; i < call->count; i++) {
        if ((value = cli_option(call, &i, "--for")) != NULL) {
            if (!text_parse_duration(slice_of(value), &learning->listen_ms) ||
                learning->listen_ms <= 0) {
                return cli_usage(call, "\"%s\" is not a duration like \"30s\"", value);
            }
        } else if ((value = cli_option(call, &i, "--broker")) != NULL) {
            learning->broker = value;
        } else if (strcmp(call->arguments[i], "--sql") == 0) {
            learning->sql = true;
        } else if (learning->topic == NULL && call->arguments[i][0] != '-') {
            learning->topic = call->arguments[i];
        } else {
            return cli_usage(call, "unknown argument \"%s\"", call->arguments[i]);
        }
    }
    if (learning->topic == NULL) {
        return cli_usage(call, "learn needs a topic filter, like 'devices/#'");
    }
    assert(learning->listen_ms > 0);
    return CLI_DONE;
}

/* Reads the settings outside of the rules. Without a configuration, which a newcomer does not
 * have, every setting has its default; a file named by --config must be there. --broker replaces
 * the URL, so user name and certificates still come from the file. False: the mistakes are
 * printed. */
static bool load_settings(struct learning *learning, const struct cli_call *call)
{
    bool there = call->config_given || access(call->config_file, F_OK) == 0;
    struct problems problems = {0};
    bool good;

    learning->file = there ? call->config_file : NULL;
    learning->config = config_load_settings(there ? call->config_file : "/dev/null", &problems);
    good = learning->config != NULL && problems.errors == 0;
    problems_print(&problems, stderr);
    problems_fini(&problems);
    if (good && learning->broker != NULL) {
        learning->config->broker.urls = &learning->broker;
        learning->config->broker.url_count = 1;
    }
    return good;
}

/* The arguments are checked in full before anything is read or connected to. */
int cli_learn(const struct cli_call *call)
{
    struct learning learning = {.listen_ms = LISTEN_MS_DEFAULT};
    struct broker_address address;
    struct lesson *lesson = NULL;
    struct error error;
    int exit_code = parse_request(call, &learning);

    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    if (learning.broker != NULL && !broker_address_parse(learning.broker, &address, &error)) {
        return cli_usage(call, "%s", error.text);
    }
    lesson = lesson_new(learning.topic, &error);
    if (lesson == NULL) {
        return cli_usage(call, "%s", error.text);
    }
    if (!load_settings(&learning, call)) {
        exit_code = CLI_CONFIGURATION;
    } else if (!lesson_listen(lesson, &learning.config->broker, learning.listen_ms)) {
        exit_code = CLI_FAILED;
    } else if (lesson_messages(lesson) == 0) {
        lesson_say_nothing_came(lesson);
        exit_code = CLI_FAILED;
    } else {
        exit_code = print_proposal(&learning, lesson);
    }
    lesson_free(lesson);
    config_free(learning.config);
    return exit_code;
}
