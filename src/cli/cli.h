/*
 * cli: the command line: one row of the table per command. Results go to standard output,
 * everything else to standard error.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CLI_CLI_H
#define MQTT2PG_CLI_CLI_H

/* Runs the command that the arguments of main() name. Returns the exit code of the process (enum
 * cli_exit). Reorders argv, and keeps pointers into it only until it returns. */
int cli_main(int argc, char **argv);

#endif
