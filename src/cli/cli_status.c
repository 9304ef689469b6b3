/*
 * cli_status: `status` asks the running service for /status.json and shows it as text.
 *
 * Rates are the difference of two answers a second apart, so `status` takes a second. --json prints
 * the service's answer as it is. --watch asks again every second and waits for a service that is
 * away; on a terminal it draws in place (screen). --alive asks /healthz only.
 *
 * Connects to http.listen and to nothing else; leaves nothing behind. Of the configuration only
 * that address counts, and without a configuration the default address.
 *
 * Exit codes: 0 the service is ready, no rule is parked or held, and no gap waits to be
 * acknowledged (--alive: it answers; --watch: Ctrl-C has ended it); 1 otherwise, also when nobody
 * answers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/http_client.h"
#include "base/arena.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/screen.h"
#include "cli/status_text.h"
#include "decode/json_scan.h"

/* Between two questions, in milliseconds. Whole seconds only. */
#define INTERVAL_MS 1000

/* The arguments of `status`, and what standard output can show. */
struct options {
    bool alive; /* only whether it answers */
    bool json;
    bool watch;
    bool terminal; /* standard output is one */
    bool colour;   /* never without a terminal */
};

/* One answer of the service. */
struct answer {
    struct buf body;
    struct arena *arena;
    const struct node *root; /* borrows body and arena; NULL: none yet */
    int64_t at_ms;           /* monotonic */
};

/* --- asking --- */

/* Asks once; replaces everything in *answer. On failure its root is NULL, so that no rate is
 * computed from it. OUTCOME_RETRY also for an answer of a program that is not mqtt2pg. */
static enum outcome ask(const char *listen, const char *path, struct answer *answer,
                        struct error *error)
{
    int status;
    enum outcome outcome = http_get(listen, path, &answer->body, &status, error);

    answer->root = NULL;
    answer->at_ms = clock_monotonic_ms();
    arena_reset(answer->arena);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (status != 200) {
        return error_set(error, OUTCOME_RETRY, "the answer has the HTTP status %d", status);
    }
    if (json_scan(slice_make(answer->body.data, answer->body.length), answer->arena, &answer->root,
                  error) != OUTCOME_OK ||
        node_member(answer->root, slice_of("health")) == NULL) {
        return error_set(error, OUTCOME_RETRY, "what answers there is not mqtt2pg");
    }
    assert(answer->root != NULL);
    return OUTCOME_OK;
}

/* Shows the answer `now`. Rates need an answer `before`; without one (root NULL) they are 0.
 * Watching without a terminal, an empty line separates the pictures. */
static void print(const struct options *options, const struct answer *now,
                  const struct answer *before)
{
    struct buf out = {0};

    assert(now->root != NULL && (before->root == NULL || before->at_ms <= now->at_ms));
    if (options->json) {
        buf_append_slice(&out, buf_slice(&now->body));
    } else {
        double seconds = before->root == NULL ? 0 : (double) (now->at_ms - before->at_ms) / 1000;

        status_text_append(&out, now->root, before->root, seconds, options->colour);
        buf_append_text(&out, options->watch && !options->terminal ? "\n" : "");
    }
    if (options->watch && options->terminal && !options->json) {
        screen_show(buf_slice(&out));
    } else {
        fwrite(out.data, 1, out.length, stdout);
        fflush(stdout);
    }
    buf_fini(&out);
}

/* While watching: shows the reason where the status would be. Without a terminal, and for
 * programs that read --json, on standard error. */
static void print_failure(const struct options *options, const struct error *error)
{
    struct buf out = {0};

    if (!options->terminal || options->json) {
        fprintf(stderr, "mqtt2pg: no status: %s\n", error->text);
        return;
    }
    status_text_append_failure(&out, error->text, options->colour);
    screen_show(buf_slice(&out));
    buf_fini(&out);
}

/* A signal ends the sleep early. */
static void sleep_interval(void)
{
    const struct timespec interval = {.tv_sec = INTERVAL_MS / 1000};

    nanosleep(&interval, NULL);
}

/* Set by SIGINT and SIGTERM while watching. */
static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
    (void) signal;
    interrupted = 1;
}

/* Shows the status every second until it is interrupted, or nobody reads any more. Waits for a
 * service that goes away. `answers` are used in turn: the newest and the one before. */
static int watch(const char *listen, const struct options *options, struct answer answers[2])
{
    const char *path = options->json ? "/status.json" : "/status.json?history=0";
    struct error error;
    int current = 0;

    sigaction(SIGINT, &(struct sigaction){.sa_handler = interrupt}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = interrupt}, NULL);
    while (!interrupted && ferror(stdout) == 0) {
        assert(current == 0 || current == 1);
        if (ask(listen, path, &answers[current], &error) == OUTCOME_OK) {
            print(options, &answers[current], &answers[1 - current]);
            current = 1 - current;
        } else if (!interrupted) {
            print_failure(options, &error);
        }
        if (!interrupted) {
            sleep_interval();
        }
    }
    if (interrupted && options->terminal) {
        putchar('\n'); /* behind the ^C that the terminal shows */
    }
    return interrupted ? CLI_DONE : CLI_FAILED;
}

/* Shows the status once. The history of the page is large and not shown: history=0 leaves it
 * out. */
static int once(const char *listen, const struct options *options, struct answer answers[2])
{
    struct error error;
    enum outcome outcome;

    if (options->json) {
        outcome = ask(listen, "/status.json", &answers[1], &error);
    } else {
        outcome = ask(listen, "/status.json?history=0", &answers[0], &error);
        if (outcome == OUTCOME_OK) {
            sleep_interval();
            outcome = ask(listen, "/status.json?history=0", &answers[1], &error);
        }
    }
    if (outcome != OUTCOME_OK) {
        fprintf(stderr, "mqtt2pg: no status: %s; is the service running, with this http.listen?\n",
                error.text);
        return CLI_FAILED;
    }
    print(options, &answers[1], &answers[0]);
    return status_text_is_fine(answers[1].root) ? CLI_DONE : CLI_FAILED;
}

/* For a supervisor, which must not restart a service that only waits for its database. /healthz
 * says 200 in that case. */
static int alive(const char *listen, struct buf *body)
{
    struct error error;
    int status = 0;

    if (http_get(listen, "/healthz", body, &status, &error) != OUTCOME_OK) {
        fprintf(stderr, "mqtt2pg: not alive: %s\n", error.text);
        return CLI_FAILED;
    }
    return status == 200 ? CLI_DONE : CLI_FAILED;
}

/* Asks the service at `listen`, which may be NULL or empty: then it serves no pages. */
static int run_with(const char *listen, const struct options *options)
{
    struct answer answers[2] = {{.arena = arena_new(65536)}, {.arena = arena_new(65536)}};
    int exit_code = CLI_FAILED;

    if (listen == NULL || listen[0] == '\0') {
        fprintf(stderr,
                "mqtt2pg: no status: http.listen is empty, so the service can't be asked\n");
    } else if (options->alive) {
        exit_code = alive(listen, &answers[0].body);
    } else {
        exit_code = (options->watch ? watch : once)(listen, options, answers);
    }
    for (int i = 0; i < 2; i++) {
        arena_free(answers[i].arena);
        buf_fini(&answers[i].body);
    }
    return exit_code;
}

/* Asks at the configuration's http.listen. A mistake in the rules, or a password file that this
 * user may not read, is no hindrance: only the address is wanted. */
static int ask_configured(const struct cli_call *call, const struct options *options)
{
    struct problems problems = {0};
    struct config *config = config_load(call->config_file, &problems);
    int exit_code = CLI_CONFIGURATION;

    if (config == NULL) {
        problems_print(&problems, stderr);
    } else {
        exit_code = run_with(config->http.listen, options);
    }
    problems_fini(&problems);
    config_free(config);
    return exit_code;
}

/* Colours only on a terminal, and not when the variable NO_COLOR has a value. */
int cli_status(const struct cli_call *call)
{
    struct options options = {0};
    const char *no_colour = getenv("NO_COLOR"); /* https://no-color.org */
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {
        {"--alive", &options.alive}, {"--json", &options.json}, {"--watch", &options.watch}};

    for (int i = 0; i < call->count; i++) {
        bool known = false;

        for (size_t k = 0; k < sizeof(flags) / sizeof(flags[0]); k++) {
            if (strcmp(call->arguments[i], flags[k].name) == 0) {
                *flags[k].flag = known = true;
            }
        }
        if (!known) {
            return cli_usage(call, "unknown argument \"%s\"", call->arguments[i]);
        }
    }
    options.terminal = isatty(STDOUT_FILENO);
    options.colour = options.terminal && (no_colour == NULL || no_colour[0] == '\0');
    if (!call->config_given && access(call->config_file, F_OK) != 0) {
        return run_with(HTTP_LISTEN_DEFAULT, &options); /* a service somewhere else */
    }
    return ask_configured(call, &options);
}
