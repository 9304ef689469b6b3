/*
 * cli_dead_letters: `dead-letters` lists, shows, retries or removes messages that could not become
 * rows. Works on the table dead_letter of the bridge's schema, also beside a running service.
 *
 *   list, show   read only
 *   retry        stores the rows and removes the letter in one transaction; a letter that fails
 *                again stays, with the new reason; publishes and acknowledges nothing
 *   purge        deletes letters; those that are parked stay, because they still become rows,
 *                unless --rule names a rule that the configuration does not have; and those that
 *                wait by retry_for stay, unless --rule names theirs
 *
 * Connects to the database, never to the broker. By default only letters of this configuration's
 * client_id count; a remark on standard error tells of others, so that none is forgotten.
 *
 * Exit codes: 0 done, also when there was no letter; 1 the database refused or could not be asked,
 * a letter of this number does not exist, some letters could not be retried, or nobody confirmed
 * that all are meant.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/commands.h"
#include "load/letter_retry.h"
#include "load/letter_text.h"
#include "pg/dead_letter.h"

/* How many letters `list` shows without --limit. */
#define LIST_LIMIT 1000
/* How many letters are read at once. Their payloads are in memory together, and a payload may have
 * 256 MB. */
#define LIST_PORTION 50

/* The arguments of `dead-letters`. Texts are borrowed from the command line. */
struct request {
    struct letter_choice choice;
    int64_t older_than_ms; /* of purge; 0 = of any age */
    int64_t limit;         /* of list; at least 1 */
    bool json;
    bool all; /* of purge: do not ask */
};

/* Prints why the server refused a statement; returns CLI_FAILED. */
static int database_failed(const struct pg_failure *failure)
{
    fprintf(stderr, "mqtt2pg: the database refused: %s\n", failure->message);
    return CLI_FAILED;
}

/* Prints each line to standard error, with "mqtt2pg: " in front. The last line may lack its
 * newline. */
static void print_lines(struct buf *lines)
{
    struct slice left = buf_slice(lines);

    while (left.length > 0) {
        const char *end = memchr(left.data, '\n', left.length);
        size_t length = end == NULL ? left.length : (size_t) (end - left.data) + 1;

        assert(length > 0 && length <= left.length);
        fprintf(stderr, "mqtt2pg: %.*s", (int) length, left.data);
        left = slice_make(left.data + length, left.length - length);
    }
}

/* Says how many letters the command passes over: those of other bridges and, with `of_rules`,
 * those of rules that this configuration does not have. */
static void tell_strays(const struct letter_desk *desk, bool of_rules)
{
    struct buf lines = {0};

    letter_append_strays(&lines, desk, of_rules);
    print_lines(&lines);
    buf_fini(&lines);
}

/* --- list ------------------------------------------------------------------------------------- */

/* Prints letters to standard output: one JSON object or one line for people each. */
static void print_portion(const struct dead_letter_rows *rows, bool json)
{
    struct buf out = {0};

    for (size_t i = 0; i < rows->count; i++) {
        if (json) {
            letter_append_json(&out, &rows->list[i].letter);
        } else {
            letter_append_line(&out, &rows->list[i].letter);
        }
    }
    fwrite(out.data, 1, out.length, stdout);
    buf_fini(&out);
}

/* Reads portion after portion, each behind the id of the last letter. A letter that the service
 * adds or removes meanwhile is seen or not, but none is printed twice. */
static int list_letters(const struct letter_desk *desk, const struct request *request)
{
    struct dead_letter_query query = {.client_id = letter_client_id(desk, &request->choice),
                                      .rule = request->choice.rule,
                                      .parked = -1};
    struct pg_failure failure;
    int64_t left = request->limit;
    size_t got = 0;

    do {
        struct dead_letter_rows rows = {0};

        query.limit = left < LIST_PORTION ? (int) left : LIST_PORTION;
        assert(query.limit > 0); /* 0 would mean all, with all payloads in memory */
        if (dead_letters_read(desk->connection, &query, &rows, &failure) != OUTCOME_OK) {
            return database_failed(&failure);
        }
        print_portion(&rows, request->json);
        got = rows.count;
        left -= (int64_t) got;
        query.after_id = got > 0 ? rows.list[got - 1].letter.id : query.after_id;
        dead_letter_rows_fini(&rows);
    } while (got == (size_t) query.limit && left > 0);
    if (left == 0) {
        fprintf(stderr,
                "mqtt2pg: these are the first %" PRId64
                "; --limit N shows more, --rule R those of one rule\n",
                request->limit);
    } else if (left == request->limit) {
        fprintf(stderr, "mqtt2pg: no dead letters\n");
    }
    if (request->choice.client_id == NULL && request->choice.rule == NULL) {
        tell_strays(desk, false);
    }
    return CLI_DONE;
}

/* --- show ------------------------------------------------------------------------------------- */

/* Prints everything about one letter, of whatever bridge. CLI_FAILED when it does not exist. */
static int show_letter(const struct letter_desk *desk, const struct request *request)
{
    const struct dead_letter_query query = {.id = request->choice.id, .parked = -1, .limit = 1};
    struct dead_letter_rows rows = {0};
    struct pg_failure failure;
    struct buf out = {0};
    int exit_code = CLI_DONE;

    assert(query.id > 0); /* 0 would mean any letter */
    if (dead_letters_read(desk->connection, &query, &rows, &failure) != OUTCOME_OK) {
        return database_failed(&failure);
    }
    if (rows.count == 0) {
        fprintf(stderr, "mqtt2pg: there is no dead letter %" PRId64 "\n", request->choice.id);
        exit_code = CLI_FAILED;
    } else if (request->json) {
        letter_append_json(&out, &rows.list[0].letter);
    } else {
        letter_append_text(&out, &rows.list[0].letter);
    }
    fwrite(out.data, 1, out.length, stdout);
    buf_fini(&out);
    dead_letter_rows_fini(&rows);
    return exit_code;
}

/* Sends the chosen letters through today's rules. Prints the counts when at least one rule was
 * tried, then what stood in the way. CLI_FAILED when some letters could not be tried; a letter
 * that is rejected again is no failure of the command. */
static int retry(const struct letter_desk *desk, const struct request *request)
{
    struct letter_report report = {.tried = false};
    struct buf out = {0};
    bool complete = letter_retry(desk, &request->choice, &report);

    if (report.tried) {
        letter_append_counts(&out, &report.counts);
        fwrite(out.data, 1, out.length, stdout);
    }
    print_lines(&report.complaints);
    if (request->choice.rule == NULL && request->choice.id == 0) {
        tell_strays(desk, request->choice.client_id == NULL);
    }
    buf_fini(&out);
    letter_report_fini(&report);
    return complete ? CLI_DONE : CLI_FAILED;
}

/* Is everything to be deleted? Only with an option, or after a "y" at the terminal. A script
 * without a terminal is refused; the message names the options. */
static bool is_meant(const struct request *request)
{
    char answer[8] = "";

    if (request->all || request->choice.rule != NULL || request->older_than_ms != 0) {
        return true;
    }
    if (isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0) {
        fputs("mqtt2pg: which dead letters? give --all, --rule R or --older-than D\n", stderr);
        return false;
    }
    fputs("mqtt2pg: remove the dead letters of all rules, except parked ones? (y/N) ", stderr);
    return fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

/* Does the request name a rule that the configuration does not have? Letters that are parked for
 * such a rule will never be stored. */
static bool is_of_former_rule(const struct letter_desk *desk, const struct request *request)
{
    bool known = request->choice.rule == NULL;

    for (size_t i = 0; !known && i < desk->ruleset->count; i++) {
        known = strcmp(desk->ruleset->rules[i]->name, request->choice.rule) == 0;
    }
    return !known;
}

/* Deletes the chosen letters in one statement. */
static int purge_letters(const struct letter_desk *desk, const struct request *request)
{
    const struct dead_letter_query query = {
        .client_id = letter_client_id(desk, &request->choice),
        .rule = request->choice.rule,
        .parked = is_of_former_rule(desk, request) ? -1 : 0,
        .older_than_us =
            request->older_than_ms == 0 ? 0 : clock_wall_us() - request->older_than_ms * 1000};
    struct pg_failure failure;
    int64_t purged = 0;

    assert(request->older_than_ms >= 0); /* a negative age would reach into the future */
    if (!is_meant(request)) {
        fprintf(stderr, "mqtt2pg: nothing removed\n");
        return CLI_FAILED;
    }
    if (dead_letters_purge(desk->connection, &query, &purged, &failure) != OUTCOME_OK) {
        return database_failed(&failure);
    }
    printf("%" PRId64 " dead letter%s removed\n", purged, purged == 1 ? "" : "s");
    return CLI_DONE;
}

/* --- the command ------------------------------------------------------------------------------ */

/* A whole number from 1. *id is changed in any case. A number that does not fit becomes
 * INT64_MAX, which no letter has. */
static bool parse_id(const char *text, int64_t *id)
{
    char *end;

    *id = strtoll(text, &end, 10);
    return *id > 0 && *end == '\0';
}

/* The words that may follow `dead-letters`, with the options that each one takes. */
static const struct verb {
    const char *name;
    const char *options; /* that it takes */
    int (*run)(const struct letter_desk *desk, const struct request *request);
} verbs[] = {
    {"list", "--rule --client-id --limit --json", list_letters},
    {"show", "--json", show_letter},
    {"retry", "--rule --client-id --id", retry},
    {"purge", "--older-than --rule --client-id --all", purge_letters},
};

/* The value of this option, if the verb takes it; what it does not take is an unknown argument. */
static const char *option(const struct cli_call *call, int *at, const struct verb *verb,
                          const char *name)
{
    return strstr(verb->options, name) == NULL ? NULL : cli_option(call, at, name);
}

/* Is `argument` this option without a value, and does the verb take it? */
static bool is_flag(const char *argument, const struct verb *verb, const char *name)
{
    return strcmp(argument, name) == 0 && strstr(verb->options, name) != NULL;
}

/* Fills the request; CLI_DONE or the exit code of wrong usage. */
static int parse_request(const struct cli_call *call, const struct verb *verb,
                         struct request *request)
{
    bool show = strcmp(verb->name, "show") == 0;
    const char *value;

    for (int i = 1; i < call->count; i++) {
        if ((value = option(call, &i, verb, "--rule")) != NULL) {
            request->choice.rule = value;
        } else if ((value = option(call, &i, verb, "--client-id")) != NULL) {
            request->choice.client_id = value;
        } else if ((value = option(call, &i, verb, "--id")) != NULL) {
            if (!parse_id(value, &request->choice.id)) {
                return cli_usage(call, "\"%s\" is not a number of a dead letter", value);
            }
        } else if ((value = option(call, &i, verb, "--older-than")) != NULL) {
            if (!text_parse_duration(slice_of(value), &request->older_than_ms)) {
                return cli_usage(call, "\"%s\" is not a duration like \"30d\"", value);
            }
        } else if ((value = option(call, &i, verb, "--limit")) != NULL) {
            if (!parse_id(value, &request->limit)) {
                return cli_usage(call, "\"%s\" is not a number of dead letters", value);
            }
        } else if (is_flag(call->arguments[i], verb, "--json")) {
            request->json = true;
        } else if (is_flag(call->arguments[i], verb, "--all")) {
            request->all = true;
        } else if (show && request->choice.id == 0 &&
                   parse_id(call->arguments[i], &request->choice.id)) {
            continue;
        } else if (show && call->arguments[i][0] != '-') {
            return cli_usage(call, "\"%s\" is not the number of a dead letter, as list shows it",
                             call->arguments[i]);
        } else {
            return cli_usage(call, "%s does not take \"%s\"", verb->name, call->arguments[i]);
        }
    }
    if (request->choice.rule != NULL && request->choice.rule[0] == '\0') {
        return cli_usage(call, "--rule needs the name of a rule");
    }
    if (request->choice.client_id != NULL && request->choice.client_id[0] == '\0') {
        return cli_usage(call, "--client-id needs the name of a bridge");
    }
    if (show && request->choice.id == 0) {
        return cli_usage(call, "show needs the number of a dead letter");
    }
    assert(request->limit > 0 && (!show || request->choice.id > 0));
    return CLI_DONE;
}

/* NULL when there is no such verb. */
static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

/* The rules are compiled for each verb, because `retry` needs them and `list` tells of letters
 * whose rule is gone. */
int cli_dead_letters(const struct cli_call *call)
{
    const struct verb *verb = call->count == 0 ? NULL : find_verb(call->arguments[0]);
    struct request request = {.limit = LIST_LIMIT};
    struct letter_desk desk = {0};
    struct generation *generation;
    struct error error;
    int exit_code;

    if (verb == NULL) {
        return cli_usage(call, "dead-letters needs one of list, show, retry, purge");
    }
    exit_code = parse_request(call, verb, &request);
    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    generation = cli_load(call, stderr);
    if (generation == NULL) {
        return CLI_CONFIGURATION;
    }
    desk.ruleset = generation->ruleset;
    desk.connection = pg_connection_new(&generation->config->database);
    if (pg_connect(desk.connection, &error) == OUTCOME_OK) {
        exit_code = verb->run(&desk, &request);
    } else {
        fprintf(stderr, "mqtt2pg: the database could not be asked: %s\n", error.text);
        exit_code = CLI_FAILED;
    }
    pg_connection_free(desk.connection);
    generation_free(generation);
    return exit_code;
}
