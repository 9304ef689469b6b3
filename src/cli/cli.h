/*
 * cli: the command line: one row of the table per command. Results go to standard output,
 * everything else to standard error.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CLI_CLI_H
#define MQTT2PG_CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "bridge/generation.h"

enum cli_exit {
    CLI_DONE = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_CONFIGURATION = 3,
    CLI_CANNOT_START = 4,
};

/* What a command is called with: its own arguments, without the options that every command
 * takes. */
struct cli_call {
    const char *config_file;
    bool config_given; /* by --config, so it must be there */
    int count;
    char **arguments;
};

struct cli_command {
    const char *name;
    const char *arguments; /* for the usage line */
    const char *summary;   /* one line */
    const char *help;      /* the rest of --help; "" = none */
    int (*run)(const struct cli_call *call);
};

/* Runs what the arguments of main() say; returns the exit code. */
int cli_main(int argc, char **argv);

/* Says what was wrong with the arguments of `command` and how it is used; returns CLI_USAGE. */
int cli_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The value of `--name VALUE` or `--name=VALUE` at arguments[*at], moving *at; NULL when it is
 * something else. A missing value is "". */
const char *cli_option(const struct cli_call *call, int *at, const char *name);

/* Reads the configuration and compiles its rules, printing every mistake to `out`; NULL when there
 * was one. */
struct generation *cli_load(const struct cli_call *call, FILE *out);

/* One per file cli_NAME.c. */
int cli_run(const struct cli_call *call);
int cli_check(const struct cli_call *call);
int cli_explain(const struct cli_call *call);
int cli_schema(const struct cli_call *call);
int cli_dead_letters(const struct cli_call *call);
int cli_journal(const struct cli_call *call);
int cli_settings(const struct cli_call *call);
int cli_status(const struct cli_call *call);
int cli_learn(const struct cli_call *call);

#endif
