/*
 * cli: the command line: one row of the table per command. Results go to standard output,
 * everything else to standard error.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CLI_CLI_H
#define MQTT2PG_CLI_CLI_H

/* Runs what the arguments of main() say; returns the exit code. */
int cli_main(int argc, char **argv);

#endif
