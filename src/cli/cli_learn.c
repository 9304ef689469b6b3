/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/thread.h"
#include "cli/commands.h"
#include "learn/learner.h"
#include "learn/proposal.h"
#include "learn/topic_fold.h"
#include "load/rule.h"
#include "mqtt/listener.h"
#include "pg/target.h"
#include "route/topic_filter.h"

#define LISTEN_MS_DEFAULT 30000
#define STEP_MS 100
#define PROGRESS_MS 1000
#define LAST_STEP_MS 200 /* what is under way when a person has seen enough still counts */
#define LAST_MS_MAX 2000

/* What the words behind `learn` ask for. */
struct request {
    const char *topic;  /* as it was typed, in the language of rules */
    const char *broker; /* --broker; NULL = as configured */
    int64_t listen_ms;
    bool sql;
};

struct lesson {
    struct request request;
    const char *file; /* the configuration; NULL = none is there */
    struct config *config;
    struct topic_filter *filter;
    struct learner *learner;
    sigset_t signals;
    bool interrupted;
    bool terminal; /* progress on one line, written again and again */
};

/* --- listening -------------------------------------------------------------------------------- */

static void tell_progress(const struct lesson *lesson, const char *end)
{
    struct buf messages = {0}, topics = {0};

    text_format_count(&messages, lesson->learner->messages);
    text_format_count(&topics, lesson->learner->topics);
    fprintf(stderr, "%s%s messages on %s topics%s",
            lesson->terminal ? "\r" : "mqtt2pg: ", buf_string(&messages), buf_string(&topics), end);
    buf_fini(&messages);
    buf_fini(&topics);
}

static bool is_interrupted(struct lesson *lesson)
{
    const struct timespec now = {0};

    lesson->interrupted |= sigtimedwait(&lesson->signals, NULL, &now) > 0;
    return lesson->interrupted;
}

static void listen_on(struct lesson *lesson, struct listener *listener)
{
    int64_t end_ms = clock_monotonic_ms() + lesson->request.listen_ms;
    int64_t told_ms = 0;
    struct message message;

    while (clock_monotonic_ms() < end_ms && !is_interrupted(lesson)) {
        if (listener_next(listener, STEP_MS, &message)) {
            learner_take(lesson->learner, &message);
        } else if (!listener_is_up(listener)) {
            fprintf(stderr, "mqtt2pg: the connection to the broker is lost: going by what came\n");
            break;
        }
        if (lesson->terminal && clock_monotonic_ms() >= told_ms + PROGRESS_MS) {
            told_ms = clock_monotonic_ms();
            tell_progress(lesson, "");
        }
    }
    end_ms = clock_monotonic_ms() + LAST_MS_MAX;
    while (clock_monotonic_ms() < end_ms && listener_next(listener, LAST_STEP_MS, &message)) {
        learner_take(lesson->learner, &message);
    }
    tell_progress(lesson, "\n");
}

static bool listen(struct lesson *lesson)
{
    char *client_id = broker_visitor_id(&lesson->config->broker, "learn");
    struct listener *listener = NULL;
    struct buf duration = {0};
    struct error error;
    bool good = listener_open(&listener, &lesson->config->broker, client_id,
                              topic_filter_mqtt(lesson->filter), &error) == OUTCOME_OK;

    if (good) {
        text_format_duration(&duration, lesson->request.listen_ms);
        fprintf(stderr, "mqtt2pg: listening to %s for %s; Ctrl-C ends it earlier\n",
                topic_filter_mqtt(lesson->filter), buf_string(&duration));
        listen_on(lesson, listener);
        if (listener_dropped(listener) > 0) {
            fprintf(stderr, "mqtt2pg: %" PRIu64 " messages came too fast and were not looked at\n",
                    listener_dropped(listener));
        }
    } else {
        fprintf(stderr, "mqtt2pg: the broker could not be asked: %s\n", error.text);
    }
    listener_close(listener);
    free(client_id);
    buf_fini(&duration);
    return good;
}

/* --- printing --------------------------------------------------------------------------------- */

static void append_head(const struct lesson *lesson, struct buf *out)
{
    const struct learner *learner = lesson->learner;
    struct buf topic = {0};

    text_append_printable(&topic, slice_of(lesson->request.topic), 200);
    buf_printf(out,
               "# Proposed by mqtt2pg learn, out of %" PRIu64 " messages on %" PRIu64
               " topics of %s.\n"
               "# Read it through and make it yours: names, types, what is not wanted. Then, with "
               "this file as FILE:\n"
               "#   mqtt2pg -c FILE check      every mistake\n"
               "#   mqtt2pg -c FILE schema     the SQL of the tables\n"
               "#   mqtt2pg -c FILE run        the service; create = true makes the tables\n",
               learner->messages, learner->topics, buf_string(&topic));
    if (learner->missed > 0) {
        buf_printf(out,
                   "# %" PRIu64 " messages came on topics beyond the first %d, which are not "
                   "in it: listen to a narrower filter.\n",
                   learner->missed, LEARNER_TOPICS_MAX);
    }
    if (learner->budget.exceeded) {
        buf_printf(out,
                   "# There were more than %d fields in all; those that came later are not in "
                   "it: listen to a narrower filter.\n",
                   LEARNER_SHAPES_MAX);
    }
    buf_append_text(out, "\n");
    buf_fini(&topic);
}

static void append_settings(const struct lesson *lesson, struct buf *out)
{
    if (lesson->request.broker == NULL && lesson->file != NULL) {
        config_append_given(lesson->file, out);
    } else {
        buf_append_text(out, "broker: { url = ");
        proposal_append_quoted(out, lesson->config->broker.urls[0]);
        buf_append_text(out, "; };\n"
                             "database: { conninfo = \"\"; };   # like \"host=localhost "
                             "dbname=telemetry user=bridge\"\n"
                             "# journal: { directory = \"/var/lib/mqtt2pg\"; };\n");
    }
    buf_append_text(out, "\n");
}

/* The table of a rule, through the same code that creates it. */
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

static int print_proposal(const struct lesson *lesson)
{
    struct proposal *proposal = proposal_new(lesson->learner->root, lesson->request.topic);
    struct buf out = {0};
    int exit_code = CLI_DONE;

    if (proposal->rule_count == 0) {
        fprintf(stderr, "mqtt2pg: all payloads were empty, so there is nothing to propose\n");
        exit_code = CLI_FAILED;
    } else if (lesson->request.sql) {
        for (size_t i = 0; i < proposal->rule_count; i++) {
            exit_code = append_table(&proposal->rules[i], &out) ? exit_code : CLI_FAILED;
        }
    } else {
        append_head(lesson, &out);
        append_settings(lesson, &out);
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

static int say_nothing_came(const struct lesson *lesson)
{
    fprintf(
        stderr,
        "mqtt2pg: no message came for %s: is the filter right (mosquitto_sub -v -t '#' shows all "
        "topics), may this user read it, and did something publish meanwhile (--for 5m listens "
        "longer)?\n",
        topic_filter_mqtt(lesson->filter));
    return CLI_FAILED;
}

/* --- the command ------------------------------------------------------------------------------ */

static int parse_request(const struct cli_call *call, struct request *request)
{
    const char *value;

    for (int i = 0; i < call->count; i++) {
        if ((value = cli_option(call, &i, "--for")) != NULL) {
            if (!text_parse_duration(slice_of(value), &request->listen_ms) ||
                request->listen_ms <= 0) {
                return cli_usage(call, "\"%s\" is no duration like \"30s\"", value);
            }
        } else if ((value = cli_option(call, &i, "--broker")) != NULL) {
            request->broker = value;
        } else if (strcmp(call->arguments[i], "--sql") == 0) {
            request->sql = true;
        } else if (request->topic == NULL && call->arguments[i][0] != '-') {
            request->topic = call->arguments[i];
        } else {
            return cli_usage(call, "unknown argument \"%s\"", call->arguments[i]);
        }
    }
    if (request->topic == NULL) {
        return cli_usage(call, "a topic filter is wanted, like 'devices/#'");
    }
    return CLI_DONE;
}

/* The broker's settings. Who has no configuration yet gets the defaults. */
static bool load_settings(struct lesson *lesson, const struct cli_call *call)
{
    bool there = call->config_given || access(call->config_file, F_OK) == 0;
    struct problems problems = {0};
    bool good;

    lesson->file = there ? call->config_file : NULL;
    lesson->config = config_load_settings(there ? call->config_file : "/dev/null", &problems);
    good = lesson->config != NULL && problems.errors == 0;
    problems_print(&problems, stderr);
    problems_fini(&problems);
    if (good && lesson->request.broker != NULL) {
        lesson->config->broker.urls = &lesson->request.broker;
        lesson->config->broker.url_count = 1;
    }
    return good;
}

static void watch_signals(struct lesson *lesson)
{
    thread_block_signals();
    sigemptyset(&lesson->signals);
    sigaddset(&lesson->signals, SIGINT);
    sigaddset(&lesson->signals, SIGTERM);
}

int cli_learn(const struct cli_call *call)
{
    struct lesson lesson = {.request.listen_ms = LISTEN_MS_DEFAULT,
                            .terminal = isatty(STDERR_FILENO) == 1};
    struct broker_address address;
    struct error error;
    int exit_code = parse_request(call, &lesson.request);

    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    if (topic_filter_compile(slice_of(lesson.request.topic), &lesson.filter, &error) !=
        OUTCOME_OK) {
        return cli_usage(call, "%s", error.text);
    }
    if (lesson.request.broker != NULL &&
        !broker_address_parse(lesson.request.broker, &address, &error)) {
        topic_filter_free(lesson.filter);
        return cli_usage(call, "%s", error.text);
    }
    lesson.learner = learner_new();
    watch_signals(&lesson);
    if (!load_settings(&lesson, call)) {
        exit_code = CLI_CONFIGURATION;
    } else if (!listen(&lesson)) {
        exit_code = CLI_FAILED;
    } else if (lesson.learner->messages == 0) {
        exit_code = say_nothing_came(&lesson);
    } else {
        topic_tree_collapse(lesson.learner->root, lesson.request.topic);
        topic_tree_fold(lesson.learner->root);
        exit_code = print_proposal(&lesson);
    }
    learner_free(lesson.learner);
    topic_filter_free(lesson.filter);
    config_free(lesson.config);
    return exit_code;
}
