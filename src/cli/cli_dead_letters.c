/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/commands.h"
#include "load/retry.h"
#include "pg/dead_letter.h"

#define LIST_LIMIT 1000
#define LIST_PORTION 50 /* their payloads are in memory at once */
#define RETRY_LETTERS 500
#define SOON_MAX 10 /* deadlocks and the like */

/* What the words behind `dead-letters` ask for. */
struct request {
    const char *rule; /* NULL = all */
    int64_t id;       /* 0 = all */
    int64_t older_than_ms;
    int64_t limit; /* of list */
    bool json;
    bool all; /* of purge: do not ask */
};

struct desk {
    struct generation *generation;
    struct pg_connection *connection;
};

static int database_failed(const struct pg_failure *failure)
{
    fprintf(stderr, "mqtt2pg: the database refused: %s\n", failure->message);
    return CLI_FAILED;
}

static void append_printable(struct buf *out, const char *label, struct slice text, size_t most)
{
    buf_append_text(out, label);
    text_append_printable(out, text, most);
}

/* --- as JSON ---------------------------------------------------------------------------------- */

static void append_json_text(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\"%s\":", name);
    if (text == NULL) {
        buf_append_text(out, "null");
    } else {
        text_append_json(out, slice_of(text));
    }
}

static void append_json_time(struct buf *out, const char *name, int64_t time_us)
{
    buf_printf(out, ",\"%s\":\"", name);
    text_format_time(out, time_us);
    buf_append_text(out, "\"");
}

static void append_hex(struct buf *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.length; i++) {
        buf_printf(out, "%02x", (unsigned char) bytes.data[i]);
    }
}

/* A payload that is no text is "payload_hex". */
static void append_json(struct buf *out, const struct dead_letter *letter)
{
    const struct message *message = letter->message;
    bool text = text_is_utf8(message->payload) && !text_has_nul(message->payload);

    buf_printf(out, "{\"id\":%" PRId64, letter->id);
    append_json_text(out, "rule", letter->rule);
    buf_append_text(out, ",\"topic\":");
    text_append_json(out, message->topic);
    append_json_time(out, "received_at", message->received_at_us);
    append_json_time(out, "failed_at", letter->failed_at_us);
    append_json_text(out, "state", letter->parked ? "parked" : "rejected");
    append_json_text(out, "reason", letter->reason);
    append_json_text(out, "sqlstate", letter->sqlstate);
    buf_printf(out, ",\"qos\":%u,\"retained\":%s,\"properties\":", message->qos,
               message->retained ? "true" : "false");
    dead_letter_properties(out, message);
    if (text) {
        buf_append_text(out, ",\"payload\":");
        text_append_json(out, message->payload);
    } else {
        buf_append_text(out, ",\"payload_hex\":\"");
        append_hex(out, message->payload);
        buf_append_text(out, "\"");
    }
    buf_append_text(out, "}\n");
}

/* --- list ------------------------------------------------------------------------------------- */

static void append_line(struct buf *out, const struct dead_letter *letter)
{
    buf_printf(out, "%8" PRId64 "  ", letter->id);
    text_format_time(out, letter->failed_at_us);
    buf_printf(out, "  %-8s", letter->parked ? "parked" : "rejected");
    append_printable(out, "  ", slice_of(letter->rule), 63);
    append_printable(out, "  ", letter->message->topic, 60);
    append_printable(out, "  ", slice_of(letter->reason), 400);
    buf_append_text(out, "\n");
}

static void print_portion(const struct dead_letter_rows *rows, bool json)
{
    struct buf out = {0};

    for (size_t i = 0; i < rows->count; i++) {
        if (json) {
            append_json(&out, &rows->list[i].letter);
        } else {
            append_line(&out, &rows->list[i].letter);
        }
    }
    fwrite(out.data, 1, out.length, stdout);
    buf_fini(&out);
}

static int list_letters(const struct desk *desk, const struct request *request)
{
    struct dead_letter_query query = {.rule = request->rule, .parked = -1};
    struct pg_failure failure;
    int64_t left = request->limit;
    size_t got = 0;

    do {
        struct dead_letter_rows rows = {0};

        query.limit = left < LIST_PORTION ? (int) left : LIST_PORTION;
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
        fprintf(stderr, "mqtt2pg: the first %" PRId64 "; there may be more: --limit N, --rule R\n",
                request->limit);
    } else if (left == request->limit) {
        fprintf(stderr, "mqtt2pg: no dead letters\n");
    }
    return CLI_DONE;
}

/* --- show ------------------------------------------------------------------------------------- */

/* Text that does nothing to a terminal: line breaks and tabs, but no other control characters. */
static bool is_printable(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char) text.data[i];
        bool c1 = c == 0xC2 && i + 1 < text.length && (unsigned char) text.data[i + 1] < 0xA0;

        if ((c < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7F || c1) {
            return false;
        }
    }
    return text_is_utf8(text);
}

static void append_letter(struct buf *out, const struct dead_letter *letter)
{
    const struct message *message = letter->message;

    buf_printf(out, "id:          %" PRId64, letter->id);
    append_printable(out, "\nrule:        ", slice_of(letter->rule), 63);
    buf_append_text(out, "\nreceived:    ");
    text_format_time(out, message->received_at_us);
    buf_append_text(out, "\nfailed:      ");
    text_format_time(out, letter->failed_at_us);
    buf_printf(out, "\nstate:       %s",
               letter->parked ? "parked: stored by itself when its table works" : "rejected");
    append_printable(out, "\nreason:      ", slice_of(letter->reason), 400);
    buf_printf(out, "\nsqlstate:    %s", letter->sqlstate == NULL ? "" : letter->sqlstate);
    append_printable(out, "\ntopic:       ", message->topic, 65535);
    buf_printf(out, "\nqos:         %u\nretained:    %s\nproperties:  ", message->qos,
               message->retained ? "yes" : "no");
    dead_letter_properties(out, message);
    if (is_printable(message->payload)) {
        buf_printf(out, "\npayload:     ");
        buf_append_slice(out, message->payload);
    } else {
        buf_append_text(out, "\npayload hex: ");
        append_hex(out, message->payload);
    }
    buf_append_text(out, "\n");
}

static int show_letter(const struct desk *desk, const struct request *request)
{
    const struct dead_letter_query query = {.id = request->id, .parked = -1, .limit = 1};
    struct dead_letter_rows rows = {0};
    struct pg_failure failure;
    struct buf out = {0};
    int exit_code = CLI_DONE;

    if (dead_letters_read(desk->connection, &query, &rows, &failure) != OUTCOME_OK) {
        return database_failed(&failure);
    }
    if (rows.count == 0) {
        fprintf(stderr, "mqtt2pg: there is no dead letter %" PRId64 "\n", request->id);
        exit_code = CLI_FAILED;
    } else if (request->json) {
        append_json(&out, &rows.list[0].letter);
    } else {
        append_letter(&out, &rows.list[0].letter);
    }
    fwrite(out.data, 1, out.length, stdout);
    buf_fini(&out);
    dead_letter_rows_fini(&rows);
    return exit_code;
}

/* --- retry ------------------------------------------------------------------------------------ */

/* All letters of one rule, portion by portion, each letter once. */
static bool retry_rule(const struct desk *desk, const struct store *store, struct mapper *mapper,
                       unsigned rule, const struct request *request, struct retry_counts *total)
{
    /* Whoever waits for a parked letter's acknowledgment gets it from the service, which stores it
     * by itself. */
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

/* Letters of a rule that was renamed or removed would else be passed over in silence. */
static void tell_strays(const struct desk *desk)
{
    const struct ruleset *ruleset = desk->generation->ruleset;
    const char **names = memory_alloc((ruleset->count + 1) * sizeof(*names));
    struct dead_letter_strays strays = {.known = names, .known_count = ruleset->count};
    struct pg_failure failure;

    for (size_t i = 0; i < ruleset->count; i++) {
        names[i] = ruleset->rules[i]->name;
    }
    if (dead_letters_find_strays(desk->connection, &strays, &failure) == OUTCOME_OK &&
        strays.letters > 0) {
        fprintf(stderr,
                "mqtt2pg: %" PRId64 " more belong to rules that this configuration does not have "
                "(%s): they are retried by a rule of that name, or removed by purge --rule\n",
                strays.letters, buf_string(&strays.rules));
    }
    buf_fini(&strays.rules);
    free(names);
}

static int retry_all(const struct desk *desk, const struct request *request)
{
    struct mapper *mapper = mapper_new(desk->generation->ruleset);
    struct rule_targets *targets = rule_targets_new(desk->generation->ruleset, mapper);
    struct verdicts verdicts = {0};
    const struct store store = {.connection = desk->connection,
                                .ruleset = desk->generation->ruleset,
                                .targets = targets,
                                .verdicts = &verdicts};
    struct pg_failure failure;
    int exit_code;

    if (rule_targets_read(targets, desk->connection, &failure) == OUTCOME_OK) {
        exit_code = retry_rules(desk, request, &store, mapper);
        if (request->rule == NULL && request->id == 0) {
            tell_strays(desk);
        }
    } else {
        exit_code = database_failed(&failure);
    }
    verdicts_fini(&verdicts);
    rule_targets_free(targets);
    mapper_free(mapper);
    return exit_code;
}

/* A person who gave no scope is asked; a script has said what it wants by calling. */
static bool is_meant(const struct request *request)
{
    char answer[8] = "";

    if (request->all || request->rule != NULL || request->older_than_ms != 0 ||
        isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0) {
        return true;
    }
    fputs("mqtt2pg: remove the dead letters of all rules, parked ones aside? (y/N) ", stderr);
    return fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

static int purge_letters(const struct desk *desk, const struct request *request)
{
    const struct dead_letter_query query = {
        .rule = request->rule,
        .older_than_us =
            request->older_than_ms == 0 ? 0 : clock_wall_us() - request->older_than_ms * 1000};
    struct pg_failure failure;
    int64_t purged = 0;

    if (!is_meant(request)) {
        fprintf(stderr, "mqtt2pg: nothing removed\n");
        return CLI_FAILED;
    }
    if (dead_letters_purge(desk->connection, &query, &purged, &failure) != OUTCOME_OK) {
        return database_failed(&failure);
    }
    printf("%" PRId64 " dead letters removed\n", purged);
    return CLI_DONE;
}

/* --- the command ------------------------------------------------------------------------------ */

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
    {"list", "--rule --limit --json", list_letters},
    {"show", "--json", show_letter},
    {"retry", "--rule --id", retry_all},
    {"purge", "--older-than --rule --all", purge_letters},
};

/* The value of this option, if the verb takes it; what it does not take is an unknown argument. */
static const char *option(const struct cli_call *call, int *at, const struct verb *verb,
                          const char *name)
{
    return strstr(verb->options, name) == NULL ? NULL : cli_option(call, at, name);
}

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
            request->rule = value;
        } else if ((value = option(call, &i, verb, "--id")) != NULL) {
            if (!parse_id(value, &request->id)) {
                return cli_usage(call, "\"%s\" is no number of a dead letter", value);
            }
        } else if ((value = option(call, &i, verb, "--older-than")) != NULL) {
            if (!text_parse_duration(slice_of(value), &request->older_than_ms)) {
                return cli_usage(call, "\"%s\" is no duration like \"30d\"", value);
            }
        } else if ((value = option(call, &i, verb, "--limit")) != NULL) {
            if (!parse_id(value, &request->limit)) {
                return cli_usage(call, "\"%s\" is no number of dead letters", value);
            }
        } else if (is_flag(call->arguments[i], verb, "--json")) {
            request->json = true;
        } else if (is_flag(call->arguments[i], verb, "--all")) {
            request->all = true;
        } else if (show && request->id == 0 && parse_id(call->arguments[i], &request->id)) {
            continue;
        } else {
            return cli_usage(call, "%s does not take \"%s\"", verb->name, call->arguments[i]);
        }
    }
    if (show && request->id == 0) {
        return cli_usage(call, "show needs the number of a dead letter");
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
    struct request request = {.limit = LIST_LIMIT};
    struct desk desk = {0};
    struct error error;
    int exit_code;

    if (verb == NULL) {
        return cli_usage(call, "one of list, show, retry or purge is wanted");
    }
    exit_code = parse_request(call, verb, &request);
    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    desk.generation = cli_load(call, stderr);
    if (desk.generation == NULL) {
        return CLI_CONFIGURATION;
    }
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
