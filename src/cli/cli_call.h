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

/* The exit codes of all commands. They are a contract with scripts and with systemd
 * (RestartPreventExitStatus): the manual page lists them, so a number never changes its meaning. */
enum cli_exit {
    /* The command did what it was asked for, and found nothing wrong. */
    CLI_DONE = 0,
    /* The command could not do its work, or the answer is bad news: a message is rejected, a
     * service is not ready, a journal is damaged. The head of the command's file says which. */
    CLI_FAILED = 1,
    /* The arguments make no sense. Nothing was connected to or changed. */
    CLI_USAGE = 2,
    /* The configuration has a mistake. Nothing was connected to, unless the database or the broker
     * showed the mistake (`check`, `init`). */
    CLI_CONFIGURATION = 3,
    /* Only `run`: another process uses the journal or stores as this client_id. */
    CLI_CANNOT_START = 4,
};

/* How a command was called: its own arguments, without the options that every command takes. */
struct cli_call {
    const char *config_file; /* never NULL; the default when --config was not given */
    bool config_given;       /* by --config, so the file must be there */
    int count;               /* of `arguments` */
    char **arguments;        /* behind the command's name; borrowed from argv */
    const char *name;        /* the command's; NULL = none was recognised */
    const char *usage;       /* its arguments, for the usage line; NULL like `name` */
};

/* Prints one line: how the command is used. Only for a command that was recognised. */
void cli_print_usage(const struct cli_call *call, FILE *out);

/* Prints "mqtt2pg: ", the formatted text and how the command is used, to standard error. Returns
 * CLI_USAGE, so that a command can end with "return cli_usage(…)". */
int cli_usage(const struct cli_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The value of `--name VALUE` or `--name=VALUE` at arguments[*at], which must exist; NULL when
 * the argument is another one. Moves *at to the value, so that the caller's loop goes on behind
 * it. A value that is missing at the end of the line is "". Borrowed from argv. */
const char *cli_option(const struct cli_call *call, int *at, const char *name);

/* Reads the configuration and compiles its rules. Connects to nothing. Prints every mistake and
 * warning to `out`; NULL when there was a mistake, and then the command ends with
 * CLI_CONFIGURATION. The caller frees the result. */
struct generation *cli_load(const struct cli_call *call, FILE *out);

#endif
