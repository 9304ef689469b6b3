/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/cli.h"
#include "load/retry.h"
#include "pg/dead_letter.h"

#define LIST_LIMIT 1000
#define RETRY_LETTERS 500
#define SOON_MAX 10 /* deadlocks and the like */

/* What the words behind `dead-letters` ask for. */
struct request {
    const char *rule; /* NULL = all */
    int64_t id;       /* 0 = all */
    int64_t older_than_ms;
};

struct desk {
    struct generation *generation;
    struct pg_connection *connection;
    const char *schema;
};

static int database_failed(const struct pg_failure *failure)
{
    fprintf(stderr, "mqtt2pg: the database refused: %s\n", failure->message);
    return CLI_FAILED;
}

static void print_time(int64_t time_us)
{
    struct buf text = {0};

    text_format_time(&text, time_us);
    fputs(buf_string(&text), stdout);
    buf_fini(&text);
}

static void print_letter_line(const struct dead_letter *letter)
{
    struct buf topic = {0};

    text_append_printable(&topic, letter->message->topic, 60);
    printf("%" PRId64 "  ", letter->id);
    print_time(letter->failed_at_us);
    printf("  %-8s  %s  %s  %s\n", letter->parked ? "parked" : "rejected", letter->rule,
           buf_string(&topic), letter->reason);
    buf_fini(&topic);
}

static int list_letters(const struct desk *desk, const struct request *request)
{
    const struct dead_letter_query query = {
        .rule = request->rule, .parked = -1, .limit = LIST_LIMIT};
    struct dead_letter_rows rows = {0};
    struct pg_failure failure;

    if (dead_letters_read(desk->connection, desk->schema, &query, &rows, &failure) != OUTCOME_OK) {
        return database_failed(&failure);
    }
    for (size_t i = 0; i < rows.count; i++) {
        print_letter_line(&rows.list[i].letter);
    }
    if (rows.count == LIST_LIMIT) {
        fprintf(stderr, "mqtt2pg: the first %d; there may be more\n", LIST_LIMIT);
    }
    if (rows.count == 0) {
        fprintf(stderr, "mqtt2pg: no dead letters\n");
    }
    dead_letter_rows_fini(&rows);
    return CLI_DONE;
}

static void print_payload(struct slice payload)
{
    if (text_is_utf8(payload) && !text_has_nul(payload)) {
        printf("payload:     %.*s\n", SLICE_ARGS(payload));
        return;
    }
    printf("payload hex: ");
    for (size_t i = 0; i < payload.length; i++) {
        printf("%02x", (unsigned char) payload.data[i]);
    }
    printf("\n");
}

static void print_letter(const struct dead_letter *letter)
{
    struct buf properties = {0};

    dead_letter_properties(&properties, letter->message);
    printf("id:          %" PRId64 "\nrule:        %s\nreceived:    ", letter->id, letter->rule);
    print_time(letter->message->received_at_us);
    printf("\nfailed:      ");
    print_time(letter->failed_at_us);
    printf("\nstate:       %s\nreason:      %s\nsqlstate:    %s\n",
           letter->parked ? "parked: stored by itself when its table works" : "rejected",
           letter->reason, letter->sqlstate == NULL ? "" : letter->sqlstate);
    printf("topic:       %.*s\nqos:         %u\nretained:    %s\nproperties:  %.*s\n",
           SLICE_ARGS(letter->message->topic), letter->message->qos,
           letter->message->retained ? "yes" : "no", SLICE_ARGS(buf_slice(&properties)));
    print_payload(letter->message->payload);
    buf_fini(&properties);
}

static int show_letter(const struct desk *desk, const struct request *request)
{
    const struct dead_letter_query query = {.id = request->id, .parked = -1, .limit = 1};
    struct dead_letter_rows rows = {0};
    struct pg_failure failure;
    int exit_code = CLI_DONE;

    if (dead_letters_read(desk->connection, desk->schema, &query, &rows, &failure) != OUTCOME_OK) {
        return database_failed(&failure);
    }
    if (rows.count == 1) {
        print_letter(&rows.list[0].letter);
    } else {
        fprintf(stderr, "mqtt2pg: there is no dead letter %" PRId64 "\n", request->id);
        exit_code = CLI_FAILED;
    }
    dead_letter_rows_fini(&rows);
    return exit_code;
}

/* All letters of one rule, portion by portion, each letter once. */
static bool retry_rule(const struct desk *desk, const struct store *store, struct mapper *mapper,
                       unsigned rule, const struct request *request, struct retry_counts *total)
{
    /* Whoever waits for a parked letter's acknowledgment gets it from the service, which stores it by itself. */
    bool acknowledges = desk->generation->ruleset->rules[rule]->ack != NULL;
    struct dead_letter_query query = {
        .id = request->id, .parked = acknowledges ? 0 : -1, .limit = RETRY_LETTERS};
    struct pg_failure failure = {.message = ""};
    enum store_result result;
    uint64_t before;
    int patience = SOON_MAX;

    do {
        before = total->letters;
        result = retry_letters(store, mapper, rule, &query, total, &failure);
        query.after_id = total->last_id;
        if (result == STORE_SMALLER && query.limit > 1) {
            query.limit /= 2;
            result = STORE_AGAIN;
        }
        if (result == STORE_SOON && patience-- > 0) {
            result = STORE_AGAIN;
        }
    } while (result == STORE_AGAIN || (result == STORE_DONE && total->letters > before));
    total->last_id = 0;
    if (result != STORE_DONE) {
        fprintf(stderr, "mqtt2pg: rule \"%s\": %s\n", desk->generation->ruleset->rules[rule]->name,
                failure.message);
    }
    return result == STORE_DONE;
}

static int retry_rules(const struct desk *desk, const struct request *request,
                       const struct store *store, struct mapper *mapper)
{
    const struct ruleset *ruleset = desk->generation->ruleset;
    struct retry_counts total = {0};
    bool complete = true, known = false;

    for (unsigned i = 0; i < ruleset->count; i++) {
        const struct rule_target *target = rule_targets_get(store->targets, i);

        if (request->rule != NULL && strcmp(request->rule, ruleset->rules[i]->name) != 0) {
            continue;
        }
        known = true;
        if (target->plan == NULL) {
            fprintf(stderr, "mqtt2pg: rule \"%s\": %s\n", ruleset->rules[i]->name, target->reason);
            complete = false;
            continue;
        }
        complete &= retry_rule(desk, store, mapper, i, request, &total);
    }
    if (!known) {
        fprintf(stderr, "mqtt2pg: there is no rule \"%s\"\n", request->rule);
        return CLI_FAILED;
    }
    printf("%" PRIu64 " dead letters retried: %" PRIu64 " stored (%" PRIu64 " rows), %" PRIu64
           " filtered, %" PRIu64 " rejected again\n",
           total.letters, total.stored, total.rows, total.filtered, total.rejected);
    if (request->id != 0 && total.letters == 0) {
        fprintf(stderr,
                "mqtt2pg: no rule of this configuration has a dead letter %" PRId64
                " that could be retried; a parked one that is to be acknowledged is stored by the "
                "service\n",
                request->id);
        complete = false;
    }
    return complete ? CLI_DONE : CLI_FAILED;
}

static int retry_all(const struct desk *desk, const struct request *request)
{
    struct mapper *mapper = mapper_new(desk->generation->ruleset);
    struct rule_targets *targets = rule_targets_new(desk->generation->ruleset, mapper);
    struct verdicts verdicts = {0};
    const struct store store = {.connection = desk->connection,
                                .schema = desk->schema,
                                .client_id = desk->generation->config->broker.client_id,
                                .ruleset = desk->generation->ruleset,
                                .targets = targets,
                                .verdicts = &verdicts};
    struct pg_failure failure;
    int exit_code;

    if (rule_targets_read(targets, desk->connection, desk->schema, &failure) == OUTCOME_OK) {
        exit_code = retry_rules(desk, request, &store, mapper);
    } else {
        exit_code = database_failed(&failure);
    }
    verdicts_fini(&verdicts);
    rule_targets_free(targets);
    mapper_free(mapper);
    return exit_code;
}

static int purge_letters(const struct desk *desk, const struct request *request)
{
    int64_t older_than_us =
        request->older_than_ms == 0 ? 0 : clock_wall_us() - request->older_than_ms * 1000;
    struct pg_failure failure;
    int64_t purged = 0;

    if (dead_letters_purge(desk->connection, desk->schema, older_than_us, &purged, &failure) !=
        OUTCOME_OK) {
        return database_failed(&failure);
    }
    printf("%" PRId64 " dead letters removed\n", purged);
    return CLI_DONE;
}

static bool parse_id(const char *text, int64_t *id)
{
    char *end;

    *id = strtoll(text, &end, 10);
    return *id > 0 && *end == '\0';
}

static const struct verb {
    const char *name;
    const char *options; /* that it takes */
    int (*run)(const struct desk *desk, const struct request *request);
} verbs[] = {
    {"list", "--rule", list_letters},
    {"show", "", show_letter},
    {"retry", "--rule --id", retry_all},
    {"purge", "--older-than", purge_letters},
};

/* The value of this option, if the verb takes it; what it does not take is an unknown argument. */
static const char *option(const struct cli_call *call, int *at, const struct verb *verb,
                          const char *name)
{
    return strstr(verb->options, name) == NULL ? NULL : cli_option(call, at, name);
}

/* Fills the request; CLI_DONE or the exit code of wrong usage. */
static int parse_request(const struct cli_call *call, const struct verb *verb,
                         struct request *request)
{
    bool show = strcmp(verb->name, "show") == 0;
    const char *value;

    for (int i = 1; i < call->count; i++) {
        if ((value = option(call, &i, verb, "--rule")) != NULL) {
            request->rule = value;
        } else if ((value = option(call, &i, verb, "--id")) != NULL) {
            if (!parse_id(value, &request->id)) {
                return cli_usage("dead-letters", "\"%s\" is no number of a dead letter", value);
            }
        } else if ((value = option(call, &i, verb, "--older-than")) != NULL) {
            if (!text_parse_duration(slice_of(value), &request->older_than_ms)) {
                return cli_usage("dead-letters", "\"%s\" is no duration like \"30d\"", value);
            }
        } else if (show && request->id == 0 && parse_id(call->arguments[i], &request->id)) {
            continue;
        } else {
            return cli_usage("dead-letters", "%s does not take \"%s\"", verb->name,
                             call->arguments[i]);
        }
    }
    if (show && request->id == 0) {
        return cli_usage("dead-letters", "show needs the number of a dead letter");
    }
    return CLI_DONE;
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

int cli_dead_letters(const struct cli_call *call)
{
    const struct verb *verb = call->count == 0 ? NULL : find_verb(call->arguments[0]);
    struct request request = {0};
    struct desk desk = {0};
    struct error error;
    int exit_code;

    if (verb == NULL) {
        return cli_usage("dead-letters", "one of list, show, retry or purge is wanted");
    }
    exit_code = parse_request(call, verb, &request);
    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    desk.generation = cli_load(call, stderr);
    if (desk.generation == NULL) {
        return CLI_CONFIGURATION;
    }
    desk.schema = desk.generation->config->database.schema;
    desk.connection = pg_connection_new(&desk.generation->config->database);
    if (pg_connect(desk.connection, &error) == OUTCOME_OK) {
        exit_code = verb->run(&desk, &request);
    } else {
        fprintf(stderr, "mqtt2pg: the database could not be asked: %s\n", error.text);
        exit_code = CLI_FAILED;
    }
    pg_connection_free(desk.connection);
    generation_free(desk.generation);
    return exit_code;
}
