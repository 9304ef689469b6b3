/*
 * cli_call: what a command gets from the command line, and what all commands do with it: options,
 * usage, loading the configuration. The table of commands (cli.c) stands above.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CLI_CLI_CALL_H
#define MQTT2PG_CLI_CLI_CALL_H

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
    const char *name;  /* the command's; NULL = none was recognised */
    const char *usage; /* its arguments, for the usage line */
};

/* The line that says how a command is used. */
void cli_print_usage(const struct cli_call *call, FILE *out);

/* Says what was wrong with the arguments and how the command is used; returns CLI_USAGE. */
int cli_usage(const struct cli_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The value of `--name VALUE` or `--name=VALUE` at arguments[*at], moving *at; NULL when it is
 * something else. A missing value is "". */
const char *cli_option(const struct cli_call *call, int *at, const char *name);

/* Reads the configuration and compiles its rules, printing every mistake to `out`; NULL when there
 * was one. */
struct generation *cli_load(const struct cli_call *call, FILE *out);

#endif
