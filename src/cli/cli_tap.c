/*
 * cli_tap: `tap`, a rule's live messages, asked of the running service once a second.
 *
 * The service maps messages of its journal with the rules in force, and answers with the messages
 * and the rows that they become. `tap` goes on where the last answer ended (`next`). The service
 * limits how much one answer holds and how often it may be asked. When it answers 429, somebody
 * else taps too, and `tap` asks again in the next second.
 *
 * Connects to http.listen and to nothing else; wants http.admin = true. Nothing is stored.
 *
 * Exit codes: 0 the wanted number of messages was shown, or Ctrl-C; 1 the service does not answer
 * or refuses.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin/http_client.h"
#include "base/arena.h"
#include "base/text.h"
#include "cli/commands.h"
#include "decode/json_scan.h"

/* HTTP status 429, Too Many Requests (RFC 6585). */
enum { TOO_OFTEN = 429 };

/* The arguments of `tap`, and how many messages it has shown. */
struct tap_call {
    const char *rule; /* its name; borrowed from the command line */
    int64_t count;    /* messages to show; 0 = until it is interrupted */
    bool json;
    int64_t shown; /* messages so far; never more than `count`, unless that is 0 */
};

/* Set by SIGINT and SIGTERM. */
static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
    (void) signal;
    interrupted = 1;
}

/* The text of a member; empty when it is not there. */
static struct slice text_of(const struct node *object, const char *name)
{
    const struct node *member = node_member(object, slice_of(name));

    return member == NULL ? slice_make("", 0) : member->text;
}

/* A member that is a whole number; 0 when it is not there. The slice ends inside a larger text,
 * at a character that is no digit, where strtoull() stops. */
static uint64_t number_of(const struct node *object, const char *name)
{
    struct slice text = text_of(object, name);

    return text.length == 0 ? 0 : strtoull(text.data, NULL, 10);
}

/* Appends one message for people: when, topic and payload in one line, then a line a row. The
 * service has made the lines printable; topic and payload are others' bytes. */
static void append_message(struct buf *out, const struct node *message)
{
    const struct node *lines = node_member(message, slice_of("lines"));
    uint32_t count = lines == NULL ? 0 : lines->count;
    const struct node *line = lines == NULL ? NULL : lines + 1;

    buf_append_slice(out, text_of(message, "at"));
    buf_append_text(out, "  ");
    text_append_printable(out, text_of(message, "topic"), 200);
    buf_append_text(out, "  ");
    text_append_printable(out, text_of(message, "payload"), 400);
    buf_append_text(out, "\n");
    for (uint32_t i = 0; i < count; i++, line += line->span) {
        buf_append_text(out, "  ");
        buf_append_slice(out, line->text);
        buf_append_text(out, "\n");
    }
}

/* Shows the messages of one answer, at most as many as are still wanted, and says how many the
 * service left out. */
static void print_messages(struct tap_call *call, const struct node *root)
{
    const struct node *messages = node_member(root, slice_of("messages"));
    /* Whatever answers at http.listen: it need not be the service. */
    uint32_t count = messages == NULL ? 0 : messages->count;
    const struct node *message = messages == NULL ? NULL : messages + 1;
    struct buf out = {0};
    uint64_t more = number_of(root, "more"), skipped = number_of(root, "skipped");

    for (uint32_t i = 0; i < count && (call->count == 0 || call->shown < call->count);
         i++, message += message->span) {
        if (call->json) {
            buf_append_slice(&out, message->text);
            buf_append_text(&out, "\n");
        } else {
            append_message(&out, message);
        }
        call->shown++;
    }
    fwrite(out.data, 1, out.length, stdout);
    fflush(stdout);
    assert(call->count == 0 || call->shown <= call->count);
    if (more + skipped > 0 && (call->count == 0 || call->shown < call->count)) {
        fprintf(stderr,
                "mqtt2pg: %" PRIu64 " more messages of this rule, %" PRIu64 " not looked at\n",
                more, skipped);
    }
    buf_fini(&out);
}

/* Prints why the service refused, or at least its HTTP status; returns CLI_FAILED. */
static int refused(int status, const struct node *root)
{
    const struct node *reason = root == NULL ? NULL : node_member(root, slice_of("error"));

    fprintf(stderr, "mqtt2pg: no tap: %.*s\n",
            SLICE_ARGS(reason == NULL ? slice_of("") : reason->text));
    if (reason == NULL) {
        fprintf(stderr, "mqtt2pg: the answer has the HTTP status %d\n", status);
    }
    return CLI_FAILED;
}

/* Asks once and shows the answer. *next is the sequence behind which the next question begins; 0
 * asks for the newest messages. Too often is no failure: nothing is shown this time. */
static int poll_once(struct tap_call *call, const struct http_options *http, struct arena *arena,
                     uint64_t *next)
{
    struct buf path = {0}, body = {0};
    const struct node *root = NULL;
    struct error error;
    int status = 0, exit_code = CLI_DONE;

    assert(call->rule != NULL && http->listen != NULL);
    buf_append_text(&path, "/actions/tap?rule=");
    http_append_escaped(&path, call->rule);
    if (*next != 0) {
        buf_printf(&path, "&after=%" PRIu64, *next);
    }
    arena_reset(arena);
    if (http_post(&(struct http_post){http->listen, buf_string(&path), http->token}, &body, &status,
                  &error) != OUTCOME_OK ||
        json_scan(buf_slice(&body), arena, &root, &error) != OUTCOME_OK) {
        fprintf(stderr, "mqtt2pg: no tap: %s; is the service running, with this http.listen?\n",
                error.text);
        exit_code = CLI_FAILED;
    } else if (status == 200 && node_member(root, slice_of("messages")) != NULL) {
        print_messages(call, root);
        *next = number_of(root, "next");
    } else if (status != TOO_OFTEN) {
        exit_code = refused(status, root);
    }
    buf_fini(&path);
    buf_fini(&body);
    return exit_code;
}

/* Asks every second until enough was shown, somebody interrupts, the service refuses, or nobody
 * reads any more. */
static int watch(struct tap_call *call, const struct http_options *http)
{
    const struct timespec second = {.tv_sec = 1};
    struct arena *arena = arena_new(65536);
    uint64_t next = 0;
    int exit_code;

    assert(call->shown == 0);
    sigaction(SIGINT, &(struct sigaction){.sa_handler = interrupt}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = interrupt}, NULL);
    do {
        exit_code = poll_once(call, http, arena, &next);
        if (exit_code != CLI_DONE || interrupted ||
            (call->count > 0 && call->shown >= call->count)) {
            break;
        }
        nanosleep(&second, NULL);
    } while (!interrupted && ferror(stdout) == 0);
    arena_free(arena);
    return exit_code;
}

/* The configuration says where to ask and with which token. Its rules may have mistakes: the
 * service tells when it refuses them. */
static int tap_configured(const struct cli_call *call, struct tap_call *tap)
{
    struct problems problems = {0};
    struct config *config = config_load(call->config_file, &problems);
    int exit_code = CLI_CONFIGURATION;

    if (config == NULL) {
        problems_print(&problems, stderr);
    } else if (config->http.listen == NULL || config->http.listen[0] == '\0') {
        fprintf(stderr, "mqtt2pg: no tap: http.listen is empty, so the service can't be asked\n");
        exit_code = CLI_FAILED;
    } else {
        exit_code = watch(tap, &config->http);
    }
    problems_fini(&problems);
    config_free(config);
    return exit_code;
}

/* Exactly one rule: its messages in their order. */
int cli_tap(const struct cli_call *call)
{
    struct tap_call tap = {.rule = NULL};
    const char *value;

    for (int i = 0; i < call->count; i++) {
        if ((value = cli_option(call, &i, "--count")) != NULL) {
            tap.count = strtoll(value, NULL, 10);
            if (tap.count <= 0) {
                return cli_usage(call, "\"%s\" is not a number of messages", value);
            }
        } else if (strcmp(call->arguments[i], "--json") == 0) {
            tap.json = true;
        } else if (tap.rule == NULL && call->arguments[i][0] != '-') {
            tap.rule = call->arguments[i];
        } else {
            return cli_usage(call, "unknown argument \"%s\"", call->arguments[i]);
        }
    }
    if (tap.rule == NULL) {
        return cli_usage(call, "tap needs the name of a rule");
    }
    return tap_configured(call, &tap);
}
