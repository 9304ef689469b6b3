/*
 * The command line from main() to a command: finds the command in the table below, handles the
 * options that every command takes, and calls it.
 *
 *   mqtt2pg [--config FILE] COMMAND [the command's own arguments]
 *
 * The common options (--config, --help, --version) may stand before or behind the command, up to
 * a "--". A new command needs three things: a row in the table, a declaration in commands.h and a
 * file cli_NAME.c.
 *
 * Exit codes are those of enum cli_exit. "mqtt2pg" without a command prints the help to standard
 * error and fails with CLI_USAGE, so that a script that forgot the command notices; "mqtt2pg
 * --help" prints the same text to standard output and succeeds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/cli.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/text.h"
#include "base/thread.h"
#include "cli/commands.h"

/* Where the Debian package and the manual page put the configuration. */
#define CONFIG_FILE_DEFAULT "/etc/mqtt2pg/mqtt2pg.cfg"

/* One row of the table. All strings are literals. */
struct cli_command {
    const char *name;
    const char *arguments; /* for the usage line */
    const char *summary;   /* one line */
    const char *help;      /* the rest of --help; "" = none */
    int (*run)(const struct cli_call *call);
};

/* In the order of the help: the service first, then the commands of the first hour (init,
 * learn), then those that look at a configuration, then those that look at a running service. */
static const struct cli_command commands[] = {
    {"run", "", "run the service in the foreground",
     "SIGTERM and SIGINT stop it cleanly. SIGHUP reads the configuration again: one with mistakes "
     "is "
     "refused,\n"
     "and the old one goes on; \"mqtt2pg settings\" says what only a restart takes.\n"
     "Exit code 3 for a bad configuration, 4 when it can't start: its journal is in use, or "
     "another\n"
     "process stores as the same client_id.\n",
     cli_run},
    {"init",
     "[--broker URL] [--username NAME] [--password-file F] [--ca-file F] [--protocol 5|3.1.1] "
     "[--client-id ID] [--database CONNINFO] [--database-password-file F] [--topic FILTER] "
     "[--for D] [--journal DIR] [--output FILE] [--force] [--yes]",
     "ask for broker and database, try both, and write a configuration that runs",
     "Asks for what no option says; without a terminal, or with --yes, it takes the defaults in "
     "brackets.\n"
     "Says what has to be created or granted in PostgreSQL, listens to the broker as learn does, "
     "and "
     "writes\n"
     "rules and tables for what came. When nothing came, one rule stores every message whole.\n"
     "--broker URL       mqtt://host, or mqtts://host for TLS (mqtt://localhost:1883)\n"
     "--username NAME    at the broker; --password-file F: a file that holds the password, mode "
     "0600.\n"
     "                   A person is asked for the password; it then stands in FILE, whose mode is "
     "0600\n"
     "--ca-file F        certificates that the broker's is checked against; else the system's\n"
     "--protocol P       3.1.1 for a broker that does not speak MQTT 5\n"
     "--client-id ID     of the service at the broker; no two bridges have the same "
     "(mqtt2pg-HOSTNAME)\n"
     "--database C       libpq's connection string or URI (dbname=telemetry)\n"
     "--topic FILTER     the messages to store, such as 'devices/#' (#); --for D: how long to "
     "listen (30s)\n"
     "--journal DIR      where messages wait on disk (journal, beside FILE; /var/lib/mqtt2pg for a "
     "FILE in /etc)\n"
     "--output FILE      the configuration (mqtt2pg.cfg); --force replaces a file that is there\n"
     "Exit code 1, and no file, when broker or database did not work; 3 when the tables that are "
     "there\n"
     "already do not fit the rules in FILE.\n",
     cli_init},
    {"learn", "FILTER [--for D] [--broker URL] [--sql]",
     "listen without storing, and propose rules and tables for what comes",
     "Listens to the broker of the configuration, which needs no rules yet, and prints a "
     "configuration\n"
     "for what it saw: topics as patterns, fields as columns with their types. Nothing is stored, "
     "acknowledged\n"
     "or published, and no session stays in the broker; retained messages count.\n"
     "FILTER       an MQTT filter such as 'devices/#'; in 'site/{plant}/#' a level has its name\n"
     "--for D      how long (30s); Ctrl-C ends it earlier and prints what there is\n"
     "--broker URL this broker instead of the configured one; then no configuration is needed\n"
     "--sql        only the SQL that creates the proposed tables\n"
     "\n"
     "    mqtt2pg learn 'devices/#' --for 1m > learned.cfg\n"
     "    mqtt2pg -c learned.cfg check\n"
     "\n"
     "Exit code 1 when the broker could not be asked or nothing came.\n",
     cli_learn},
    {"check", "[--database] [--broker]",
     "report every mistake of the configuration as FILE:LINE: message",
     "--database   also compare every rule with the tables as they are now\n"
     "--broker     also connect to the broker and try each subscription and the status topic,\n"
     "             under a client id of its own: nothing is stored, no running bridge is touched\n"
     "Exit code 3 when there is a mistake; warnings do not count.\n",
     cli_check},
    {"explain",
     "[--database] [-v] [--hex|--base64] TOPIC [PAYLOAD|--payload-file F] | --journal [--since D] "
     "[--compare OTHER.cfg] [--json]",
     "show what would become of a message; without --database it connects to nothing",
     "Each matching rule gives its rows as one JSON object a line, or the reason why it rejects "
     "or\n"
     "filters the message. A PAYLOAD of - is read from standard input.\n"
     "--payload-file F  the payload stands in this file; --hex, --base64: in that form\n"
     "--database    asks PostgreSQL as well: the message goes through a transaction that is rolled "
     "back, so that\n"
     "              types, constraints and triggers speak, and rows are shown as they would be "
     "stored. Nothing\n"
     "              stays but what no rollback takes back: numbers taken from sequences\n"
     "-v, --verbose tells also captures, which line of where does not hold, and each column's "
     "value\n"
     "--journal     what the rules make of all messages that the journal still holds, also while "
     "the "
     "service runs:\n"
     "              rows, filtered, rejected with the most frequent reasons, topics that no rule "
     "takes\n"
     "--since D     only of the last D (\"1h\"); --json for programs\n"
     "--compare F   and what the configuration F would make of them, with what changes\n"
     "Exit code 1 when a rule rejects the message, none matches, or the database can't be asked.\n",
     cli_explain},
    {"schema", "",
     "print the SQL that creates the bridge's own tables and those of rules with create", "",
     cli_schema},
    {"dead-letters",
     "list [--rule R] [--client-id ID] [--limit N] [--json] | show ID [--json] | retry [--rule R] "
     "[--client-id ID] [--id ID] | purge "
     "[--older-than D] [--rule R] [--client-id ID] [--all]",
     "look at, retry or remove messages that could not become rows",
     "list         one line each, oldest first, at most 1000 or N\n"
     "show ID      everything about one, payload included\n"
     "--client-id  the letters of another bridge that shares the schema, not of this one\n"
     "--json       list and show: one JSON object each, payload included\n"
     "retry        sends them through today's rules; what fails again stays, with the new reason.\n"
     "             Also while the service runs. Nothing is acknowledged; parked ones of a rule "
     "with "
     "ack\n"
     "             are left to the service\n"
     "purge        removes those that are not parked, only those older than D (\"30d\"), only "
     "those of rule R;\n"
     "             asks a person who gives neither; a script must say --all\n",
     cli_dead_letters},
    {"gaps", "list [--all] | ack ID|--all",
     "list and acknowledge spans of time from which messages may be missing",
     "list         those of this client_id that nobody has acknowledged; --all = the others as "
     "well\n"
     "ack ID       somebody has dealt with it: the status page, status and the alert forget it;\n"
     "             the row stays, with the time. ack --all acknowledges every one\n",
     cli_gaps},
    {"journal", "info|dump|verify", "look into the journal, also while the service runs",
     "info         where it stands: messages, bytes, positions\n"
     "dump         one JSON object a message that is still kept\n"
     "verify       reads all of it; exit code 1 when something is damaged\n",
     cli_journal},
    {"replay", "--rule R [--from T] [--to T] [--dry-run] [--duplicates-are-fine]",
     "send the journal's stored messages through today's rule R once more",
     "Says first how many messages the journal still has for the rule, and from when; then stores "
     "their rows in\n"
     "batches, also while the service runs. An interrupted one goes on where it was. Nothing is "
     "acknowledged; what\n"
     "is refused is named, and becomes no dead letter.\n"
     "--from, --to             when the messages came: a time, or how long ago (\"2h\")\n"
     "--dry-run                only says what would be stored\n"
     "--duplicates-are-fine    also where the table has rows of that time, which the rule would "
     "add once more\n",
     cli_replay},
    {"settings", "[--sample|--markdown|--man]",
     "list every setting with type, default, unit and meaning",
     "--sample     as a configuration file with comments\n"
     "--markdown   as a reference page\n"
     "--man        as a part of a manual page\n",
     cli_settings},
    {"status", "[--json] [--watch] [--alive]", "ask the running service how it is",
     "--json       the whole answer of /status.json, one line\n"
     "--watch      again every second, until Ctrl-C\n"
     "--alive      only whether it answers; for a supervisor, who must not restart a service that\n"
     "             waits for its database\n"
     "Asks at http.listen of the configuration; without one, at the address that is the default. "
     "Exit code 0\n"
     "when the service is ready; 1 when it is not, when a rule is parked, when a gap is not "
     "acknowledged,\n"
     "or when nobody answers there.\n",
     cli_status},
    {"tap", "RULE [--count N] [--json]",
     "show a rule's live messages with the rows that they become",
     "--count N    end after N messages; without it, at Ctrl-C\n"
     "--json       one JSON object a message\n"
     "Asks the running service at http.listen, which wants http.admin = true. The rules are those "
     "of\n"
     "the configuration file as it is now. Begins with the newest messages of the journal. Of a "
     "rule\n"
     "with many messages it shows 20 a second and counts the rest.\n",
     cli_tap},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

/* NULL when no command has this name. */
static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

/* The list of commands. `out` is standard output when a person asked for it. */
static void print_help(FILE *out)
{
    fprintf(out, "mqtt2pg stores MQTT messages in PostgreSQL: nothing lost, nothing twice.\n\n"
                 "usage: mqtt2pg [--config FILE] COMMAND [...]\n\ncommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(out, "  %-13s %s\n", commands[i].name, commands[i].summary);
    }
    fprintf(out, "\noptions:\n"
                 "  -c, --config FILE   the configuration (default: " CONFIG_FILE_DEFAULT ")\n"
                 "  -h, --help          this text; behind a command: about it\n"
                 "  -V, --version       the version\n");
}

/* `mqtt2pg COMMAND --help`: usage, summary, then the text of the table. */
static void print_command_help(const struct cli_call *call, const struct cli_command *command)
{
    assert(call->name == command->name && call->usage == command->arguments);
    cli_print_usage(call, stdout);
    printf("\n%s\n", command->summary);
    if (command->help[0] != '\0') {
        printf("\n%s", command->help);
    }
}

/* Suggests the command whose name is spelled most like it. */
static int unknown_command(const struct cli_call *call, const char *name)
{
    assert(call->name == NULL); /* so cli_usage() points to the list of commands */
    const char *meant =
        text_suggest(slice_of(name), &commands[0].name, COMMAND_COUNT, sizeof(commands[0]));

    if (meant != NULL) {
        return cli_usage(call, "unknown command \"%s\" (did you mean %s?)", name, meant);
    }
    return cli_usage(call, "unknown command \"%s\"", name);
}

/* The command line, taken apart. All strings are borrowed from argv. */
struct cli_words {
    const char *config_file;
    bool config_given;
    bool help;
    bool version;
    const char *missing; /* an option without its value; NULL = none */
    char **rest;         /* the command and its arguments, in argv's own array */
    int count;           /* of `rest`; 0 = no command was given */
};

/* Sorts argv into the common options and the rest. Behind "--" everything belongs to the
 * command, even a word like --help. The rest moves to the front of argv[1…], over words that
 * were read already. */
static void split_words(int argc, char **argv, struct cli_words *words)
{
    struct cli_call all = {.count = argc, .arguments = argv};
    bool only_words = false;

    words->rest = argv + 1;
    for (int i = 1; i < argc; i++) {
        const char *config = NULL;

        if (!only_words && ((config = cli_option(&all, &i, "--config")) != NULL ||
                            (config = cli_option(&all, &i, "-c")) != NULL)) {
            words->config_file = config;
            words->config_given = true;
            if (config[0] == '\0') {
                words->missing = "--config";
            }
        } else if (!only_words && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            words->help = true;
        } else if (!only_words &&
                   (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0)) {
            words->version = true;
        } else if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else {
            assert(words->count < i); /* rest[n] is argv[n + 1]: never ahead of the reading */
            words->rest[words->count++] = argv[i];
        }
    }
}

int cli_main(int argc, char **argv)
{
    struct cli_words words = {.config_file = CONFIG_FILE_DEFAULT};
    const struct cli_command *command = NULL;
    struct cli_call call;

    (void) FAULT("cli.main.begin"); /* tests stop or kill the process here; not in releases */
    split_words(argc, argv, &words);
    if (words.count > 0) {
        command = find_command(words.rest[0]);
    }
    call = (struct cli_call){.config_file = words.config_file,
                             .config_given = words.config_given,
                             .count = words.count - 1,
                             .arguments = words.rest + 1,
                             .name = command == NULL ? NULL : command->name,
                             .usage = command == NULL ? NULL : command->arguments};
    if (words.missing != NULL) {
        return cli_usage(&call, "%s needs a file name", words.missing);
    }
    if (words.version) {
        printf("mqtt2pg %s\n", MQTT2PG_VERSION);
        return CLI_DONE;
    }
    if (words.count > 0 && command == NULL) {
        return unknown_command(&call, words.rest[0]);
    }
    if (words.help && command != NULL) {
        print_command_help(&call, command);
        return CLI_DONE;
    }
    if (command == NULL) {
        print_help(words.help ? stdout : stderr);
        return words.help ? CLI_DONE : CLI_USAGE;
    }
    assert(call.count >= 0);
    /* main() starts with SIGINT and SIGTERM blocked, for the threads of the service. A command has
     * no thread that waits for them: Ctrl-C has to end it. */
    if (command->run != cli_run) {
        thread_unblock_signals();
    }
    return command->run(&call);
}
