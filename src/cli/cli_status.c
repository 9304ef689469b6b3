/*
 * `mqtt2pg status`: asks the running service for /status.json and says it in text.
 *
 *   mqtt2pg 0.1.0  ready  up 3d
 *
 *   broker    connected       mqtt://localhost:1883
 *                             since 2026-11-23 03:29:30Z (3d)
 *   messages  1,234/s received  1,230/s processed  2,460/s rows
 *   backlog   12,345 messages, 10MB on disk, oldest 12s
 *   delay     12 ms median, 40 ms for 95 %
 *
 * Rates are the difference of two answers a second apart. All text of others is made printable.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/http_client.h"
#include "base/arena.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/cli_status_text.h"
#include "decode/json_scan.h"

#define INTERVAL_MS 1000

#define CLEAR "\033[H\033[2J"

/* --- asking --- */

static enum outcome ask(const char *listen, const char *path, struct status_answer *answer,
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
        return error_set(error, OUTCOME_RETRY, "it says %d", status);
    }
    if (json_scan(slice_make(answer->body.data, answer->body.length), answer->arena, &answer->root,
                  error) != OUTCOME_OK ||
        node_member(answer->root, slice_of("health")) == NULL) {
        return error_set(error, OUTCOME_RETRY, "what answers there is no mqtt2pg");
    }
    return OUTCOME_OK;
}

static void print(const struct status_options *options, const struct status_answer *now,
                  const struct status_answer *before)
{
    struct buf out = {0};

    if (options->json) {
        buf_append_slice(&out, buf_slice(&now->body));
    } else {
        if (options->watch) {
            buf_append_text(&out, options->terminal ? CLEAR : "\n");
        }
        status_append_text(&out, options, now, before);
    }
    fwrite(out.data, 1, out.length, stdout);
    fflush(stdout);
    buf_fini(&out);
}

static void sleep_interval(void)
{
    const struct timespec interval = {.tv_sec = INTERVAL_MS / 1000};

    nanosleep(&interval, NULL);
}

/* Until it is interrupted, or nobody reads any more. A service that goes away is waited for. */
static int watch(const char *listen, const struct status_options *options,
                 struct status_answer answers[2])
{
    const char *path = options->json ? "/status.json" : "/status.json?history=0";
    struct error error;
    int current = 0;

    while (ferror(stdout) == 0) {
        if (ask(listen, path, &answers[current], &error) == OUTCOME_OK) {
            print(options, &answers[current], &answers[1 - current]);
            current = 1 - current;
        } else {
            fprintf(stderr, "mqtt2pg: no status: %s\n", error.text);
        }
        sleep_interval();
    }
    return CLI_FAILED;
}

static bool is_ready(const struct status_answer *answer)
{
    const struct node *ready = node_member(answer->root, slice_of("ready"));

    return ready != NULL && ready->kind == VALUE_BOOLEAN && ready->boolean;
}

static int once(const char *listen, const struct status_options *options,
                struct status_answer answers[2])
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
    return is_ready(&answers[1]) ? CLI_DONE : CLI_FAILED;
}

/* Only where to ask is wanted: a mistake elsewhere, such as a password file that this user may not read, is no hindrance. */
static int run_with(const struct config *config, const struct status_options *options)
{
    struct status_answer answers[2] = {{.arena = arena_new(65536)}, {.arena = arena_new(65536)}};
    int exit_code = CLI_FAILED;

    if (config->http.listen == NULL || config->http.listen[0] == '\0') {
        fprintf(stderr,
                "mqtt2pg: no status: http.listen is empty, so the service can't be asked\n");
    } else {
        exit_code = (options->watch ? watch : once)(config->http.listen, options, answers);
    }
    for (int i = 0; i < 2; i++) {
        arena_free(answers[i].arena);
        buf_fini(&answers[i].body);
    }
    return exit_code;
}

int cli_status(const struct cli_call *call)
{
    struct problems problems = {0};
    struct status_options options = {0};
    struct config *config;
    int exit_code = CLI_CONFIGURATION;
    const char *no_colour = getenv("NO_COLOR"); /* https://no-color.org */

    for (int i = 0; i < call->count; i++) {
        if (strcmp(call->arguments[i], "--json") == 0) {
            options.json = true;
        } else if (strcmp(call->arguments[i], "--watch") == 0) {
            options.watch = true;
        } else {
            return cli_usage("status", "unknown argument \"%s\"", call->arguments[i]);
        }
    }
    options.terminal = isatty(STDOUT_FILENO);
    options.colour = options.terminal && (no_colour == NULL || no_colour[0] == '\0');
    config = config_load(call->config_file, &problems);
    if (config == NULL) {
        problems_print(&problems, stderr);
    } else {
        exit_code = run_with(config, &options);
    }
    problems_fini(&problems);
    config_free(config);
    return exit_code;
}
