/* SPDX-License-Identifier: MIT */
#include "bridge/actions.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "bridge/action_help.h"
#include "bridge/letter_actions.h"
#include "bridge/tap.h"
#include "core/topic.h"
#include "load/explain_advice.h"
#include "load/explain_lines.h"
#include "load/untaken.h"

/* At most, whatever the configuration allows the loader: a person waits for the answer, and the
 * next action waits for this one. */
enum { CONNECT_MS = 3000, STATEMENT_MS = 5000 };
/* Each tap holds a whole configuration, a reader of the journal and a mapper in memory. */
enum { TAPS_MAX = 4 };

struct actions {
    struct actions_options options;
    struct pg_options database;
    struct pg_connection *connection; /* connected only while an action needs it */
    struct tap *taps[TAPS_MAX];       /* the one used last first; NULL = none */
    unsigned taps_of;                 /* *options.rule_changes when they were opened */
};

/* Reads the configuration file as it is now, which may differ from what the service runs with.
 * NULL: the action is refused with the first mistake. The caller frees the generation. */
static struct generation *load_rules(const struct actions *actions, struct action *action)
{
    struct problems problems = {0};
    struct generation *generation =
        generation_load(actions->options.config_file, actions->options.running, &problems);

    if (generation == NULL) {
        action_refuse(action, ACTION_CONFLICT, "the configuration file has mistakes: %s",
                      problems.count == 0 ? "" : problems.list[0].text);
    }
    problems_fini(&problems);
    return generation;
}

/* --- try -------------------------------------------------------------------------------------- */

/* Lines for a person: which rules are near when none matches, times that look wrong, and keys of
 * the payload that no column takes. */
static void append_remarks(struct buf *remarks, const struct ruleset *ruleset,
                           const struct message *message, const struct mapped *list, size_t count)
{
    if (count == 0) {
        buf_append_text(remarks, "no rule's topic matches; ");
        explain_append_nearest(remarks, ruleset, message->topic);
    }
    for (size_t i = 0; i < count; i++) {
        struct buf keys = {0};

        if (list[i].verdict == VERDICT_ROWS) {
            explain_append_odd_times(remarks, &list[i]);
        }
        if (untaken_append(&keys, list[i].rule, list[i].subject.payload)) {
            buf_printf(remarks, "rule \"%s\": no column takes: %s\n", list[i].rule->name,
                       buf_string(&keys));
        }
        buf_fini(&keys);
    }
}

/* A remark when the file is not what the service has loaded: somebody edited it since then. */
static void append_other_rules(struct buf *remarks, const struct actions *actions,
                               struct config *file)
{
    struct config *in_force = actions->options.in_force(actions->options.context);
    struct buf now = {0}, then = {0};

    generation_fit_packets(file); /* as was done with those in force */
    config_to_json(file, NULL, &now);
    config_to_json(in_force, NULL, &then);
    if (!slice_equal(buf_slice(&now), buf_slice(&then))) {
        buf_printf(remarks,
                   "these are the rules of %s as it is now, which the service has not loaded\n",
                   actions->options.config_file);
    }
    buf_fini(&now);
    buf_fini(&then);
    config_free(in_force);
}

/* Maps the message as the loader would, but with a mapper of its own and without the database. So
 * formats with state know only this one message. explain_append_mapped() writes one JSON object a
 * line: the newlines become the commas of an array. A newline inside of a text is "\n" in JSON, so
 * each byte of this value is an end of a line. */
static void try_message(const struct ruleset *ruleset, const struct message *message,
                        struct buf *remarks, struct action *action)
{
    struct mapper *mapper = mapper_new(ruleset);
    const struct mapped *list;
    size_t count = mapper_map(mapper, message, &list);

    buf_append_text(&action->answer, "{\"lines\":[");
    for (size_t i = 0; i < count; i++) {
        size_t begin = action->answer.length;

        buf_append_text(&action->answer, i == 0 ? "" : ",");
        explain_append_mapped(&action->answer, &list[i]);
        action->answer.length--; /* the newline behind the last line */
        for (size_t at = begin; at < action->answer.length; at++) {
            char *byte = &action->answer.data[at];

            *byte = *byte == '\n' ? ',' : *byte;
        }
    }
    append_remarks(remarks, ruleset, message, list, count);
    buf_append_text(&action->answer, "],");
    action_append_lines(&action->answer, "remarks", remarks);
    buf_append_byte(&action->answer, '}');
    action->status = ACTION_OK;
    mapper_free(mapper);
}

static void run_try(struct actions *actions, struct action *action)
{
    const char *topic = action->arguments[ACTION_TOPIC];
    struct message message = {.kind = MESSAGE_PUBLISH,
                              .qos = 1,
                              .received_at_us = clock_wall_us(),
                              .topic = slice_of(topic == NULL ? "" : topic),
                              .payload = buf_slice(&action->body)};
    struct generation *generation;

    if (!topic_is_publishable(message.topic)) {
        action_refuse(action, ACTION_BAD_REQUEST,
                      "\"%.200s\" is not a topic that a message can have",
                      topic == NULL ? "" : topic);
        return;
    }
    generation = load_rules(actions, action);
    if (generation != NULL) {
        struct buf remarks = {0};

        append_other_rules(&remarks, actions, generation->config);
        try_message(generation->ruleset, &message, &remarks, action);
        buf_fini(&remarks);
        generation_free(generation);
    }
}

/* --- tap -------------------------------------------------------------------------------------- */

/* Frees all taps. Also the queue's idle handler, which frees the taps when no page uses them any
 * more. */
static void close_taps(void *context)
{
    struct actions *actions = context;

    for (size_t i = 0; i < TAPS_MAX; i++) {
        tap_free(actions->taps[i]);
        actions->taps[i] = NULL;
    }
}

/* Moves the tap at `index` to the front, so that the last place holds the tap that was not used for
 * the longest time. */
static struct tap *use_tap(struct actions *actions, size_t index)
{
    struct tap *tap = actions->taps[index];

    assert(index < TAPS_MAX && tap != NULL);
    memmove(&actions->taps[1], &actions->taps[0], index * sizeof(actions->taps[0]));
    actions->taps[0] = tap;
    return tap;
}

/* The rules in force, compiled once more: a tap has its own, which outlive the next reload. NULL:
 * the action is refused. */
static struct generation *copy_rules_in_force(const struct actions *actions, struct action *action)
{
    struct problems problems = {0};
    struct config *config = actions->options.in_force(actions->options.context);
    struct generation *generation = generation_again(config, actions->options.running, &problems);

    config_free(config);
    if (generation == NULL) {
        action_refuse(action, ACTION_UNAVAILABLE, "the rules can't be compiled: %s",
                      problems.count == 0 ? "" : problems.list[0].text);
    }
    problems_fini(&problems);
    return generation;
}

/* The open tap of this rule, or a new one in place of the one that was not used for the longest
 * time. NULL: the action is refused. */
static struct tap *open_tap(struct actions *actions, const char *rule, struct action *action)
{
    const struct tap_options options = {.journal = actions->options.journal,
                                        .database = &actions->database,
                                        .settings = actions->options.running->config};
    struct generation *generation;
    struct tap *tap;

    for (size_t i = 0; i < TAPS_MAX; i++) {
        if (actions->taps[i] != NULL && strcmp(tap_rule(actions->taps[i]), rule) == 0) {
            return use_tap(actions, i);
        }
    }
    generation = copy_rules_in_force(actions, action);
    if (generation == NULL) {
        return NULL;
    }
    tap = tap_new(&options, generation, rule);
    if (tap == NULL) {
        action_refuse(action, ACTION_NOT_FOUND,
                      "no rule \"%.100s\" is in force: one that was added to the file needs a "
                      "reload",
                      rule);
        return NULL;
    }
    tap_free(actions->taps[TAPS_MAX - 1]);
    actions->taps[TAPS_MAX - 1] = tap;
    return use_tap(actions, TAPS_MAX - 1);
}

static void run_tap(struct actions *actions, struct action *action)
{
    const char *rule = action->arguments[ACTION_RULE];
    unsigned changes = atomic_load(actions->options.rule_changes);
    struct error error;
    struct tap *tap;
    int64_t from;

    if (rule == NULL) {
        action_refuse(action, ACTION_BAD_REQUEST, "rule=NAME is wanted");
        return;
    }
    if (!action_read_number(action, ACTION_AFTER, &from)) {
        return;
    }
    /* Open taps still have the rules from before. */
    if (changes != actions->taps_of) {
        close_taps(actions);
        actions->taps_of = changes;
    }
    tap = open_tap(actions, rule, action);
    if (tap == NULL) {
        return;
    }
    action->status = ACTION_OK;
    if (tap_poll(tap, (uint64_t) from, &action->answer, &error) != OUTCOME_OK) {
        action_refuse(action, ACTION_UNAVAILABLE, "the journal can't be read: %s", error.text);
    }
}

/* --- dead letters and gaps -------------------------------------------------------------------- */

static void run_letters(struct actions *actions, struct action *action)
{
    letter_action_list(actions->connection, action);
}

static void run_show(struct actions *actions, struct action *action)
{
    letter_action_show(actions->connection, action);
}

static void run_purge(struct actions *actions, struct action *action)
{
    letter_action_purge(actions->connection, action);
}

static void run_retry(struct actions *actions, struct action *action)
{
    struct generation *generation = load_rules(actions, action);

    if (generation != NULL) {
        letter_action_retry(actions->connection, generation->ruleset, action);
    }
    generation_free(generation);
}

static void run_ack(struct actions *actions, struct action *action)
{
    gap_action_acknowledge(actions->connection, action);
}

/* --- all of them ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    void (*run)(struct actions *actions, struct action *action);
} table[] = {
    {"try", run_try},     {"tap", run_tap},     {"letters", run_letters}, {"show", run_show},
    {"retry", run_retry}, {"purge", run_purge}, {"ack", run_ack},
};

/* Runs one action on the queue's thread. The connection is closed behind each action: a status page
 * that stays open must not hold one of the server's connections. */
static void run(void *context, struct action *action)
{
    struct actions *actions = context;
    size_t i = 0;

    while (i < sizeof(table) / sizeof(table[0]) && strcmp(table[i].name, action->name) != 0) {
        i++;
    }
    if (i == sizeof(table) / sizeof(table[0])) {
        action_refuse(action, ACTION_NOT_FOUND,
                      "no such action; there are try, tap, letters, show, retry, purge and ack");
        return;
    }
    table[i].run(actions, action);
    pg_disconnect(actions->connection);
    assert(action->status != 0 && action->answer.length > 0);
}

/* Called by another thread when the service stops: the wait for the database ends at once, and the
 * action is refused. */
static void interrupt(void *context)
{
    struct actions *actions = context;

    pg_interrupt(actions->connection);
}

struct actions *actions_new(const struct actions_options *options)
{
    struct actions *actions = memory_alloc(sizeof(*actions));

    assert(options->running != NULL && options->journal != NULL);
    assert(options->rule_changes != NULL && options->in_force != NULL);
    actions->options = *options;
    actions->database = options->running->config->database;
    if (actions->database.connect_ms > CONNECT_MS) {
        actions->database.connect_ms = CONNECT_MS;
    }
    if (actions->database.statement_ms > STATEMENT_MS) {
        actions->database.statement_ms = STATEMENT_MS;
    }
    actions->connection = pg_connection_new(&actions->database);
    return actions;
}

void actions_free(struct actions *actions)
{
    if (actions == NULL) {
        return;
    }
    close_taps(actions);
    pg_connection_free(actions->connection);
    free(actions);
}

struct action_handler actions_handler(struct actions *actions)
{
    return (struct action_handler){
        .run = run, .interrupt = interrupt, .idle = close_taps, .context = actions};
}
